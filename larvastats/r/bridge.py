"""Results and tables between Python and R, in memory, by rpy2.

:func:`converter` is for ``rpy2.robjects.conversion.localconverter`` and changes nothing elsewhere;
:func:`provide` puts the object ``larvastats`` into R's workspace, for cells that begin with
``%%R``; :func:`to_r` and :func:`from_r` take one thing across.
"""

from __future__ import annotations

import atexit
import uuid
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from larvastats.errors import DataError
from larvastats.r.columns import NA_INTEGER, NA_REAL, quiet
from larvastats.r.files import R_FILE
from larvastats.r.host import rinterface
from larvastats.r.parts import GONE, Handle, parts
from larvastats.r.requests import answer, failure, value_of

if TYPE_CHECKING:
    from rpy2.rinterface import Sexp
    from rpy2.robjects.conversion import Converter


class _Kept:
    """Python objects that R holds; R says when it no longer does (``forget``).

    Names carry the process, so that a result saved in one session finds nothing in another.
    """

    def __init__(self) -> None:
        self._objects: dict[str, Any] = {}
        self._session = uuid.uuid4().hex
        self._count = 0

    def keep(self, value: Any) -> str:
        self._count += 1
        name = f"{self._session}:{self._count}"
        self._objects[name] = value
        return name

    def find(self, name: Any) -> Any:
        if name not in self._objects:
            raise DataError(GONE)
        return self._objects[name]

    def forget(self, names: Iterable[str]) -> None:
        for name in names:
            self._objects.pop(name, None)


_KEPT = _Kept()


# -- plain parts to R -----------------------------------------------------------------------------


def _vector(values: np.ndarray) -> Sexp:
    """Copy an array into a vector of R, once; NaN becomes NA."""
    ri = rinterface()
    is_double = values.dtype == np.float64
    made = ri.baseenv["numeric" if is_double else "integer"](len(values))
    if not len(values):
        return made
    room = np.frombuffer(made.memoryview(), dtype=np.float64 if is_double else np.int32)
    room[:] = values
    if is_double:
        room.view(np.uint64)[np.isnan(room)] = NA_REAL
    return made


def _put(part: Any) -> Sexp:
    """Return plain parts as lists and vectors of R."""
    ri = rinterface()
    if part is None:
        return ri.NULL
    if isinstance(part, bool):
        return ri.BoolSexpVector([part])
    if isinstance(part, int):
        fits = abs(part) < -NA_INTEGER
        return ri.IntSexpVector([part]) if fits else ri.FloatSexpVector([float(part)])
    if isinstance(part, float):
        return _vector(np.array([part]))
    if isinstance(part, str):
        return ri.StrSexpVector([part])
    if isinstance(part, np.ndarray):
        return _vector(part)
    if isinstance(part, Handle):
        return _put({".handle": _KEPT.keep(part.value)})
    if isinstance(part, dict):
        made = ri.ListSexpVector([_put(p) for p in part.values()])
        made.names = ri.StrSexpVector([str(name) for name in part])
        return made
    if part and all(isinstance(p, str) for p in part):
        return ri.StrSexpVector(list(part))
    return ri.ListSexpVector([_put(p) for p in part])


# -- R to plain parts -----------------------------------------------------------------------------


def _get(thing: Any) -> Any:
    """Return lists and vectors of R as plain parts."""
    ri = rinterface()
    if isinstance(thing, ri.ListSexpVector):
        items = [_get(item) for item in thing]
        if thing.names is ri.NULL:
            return items
        found = dict(zip(map(str, thing.names), items, strict=True))
        return Handle(_KEPT.find(found[".handle"])) if ".handle" in found else found
    if isinstance(thing, ri.IntSexpVector | ri.FloatSexpVector) and len(thing) != 1:
        return _array(thing)
    if isinstance(thing, ri.StrSexpVector | ri.BoolSexpVector | ri.IntSexpVector
                  | ri.FloatSexpVector):  # fmt: skip
        items = [None if _is_na(item) else _scalar(item) for item in thing]
        return items[0] if len(items) == 1 else items
    if isinstance(thing, ri.SexpClosure):
        return Handle(_function(thing))
    return None


def _array(vector: Any) -> np.ndarray:
    is_double = isinstance(vector, rinterface().FloatSexpVector)
    kind = np.float64 if is_double else np.int32
    if not len(vector):
        return np.array([], dtype=kind)
    return quiet(np.array(np.frombuffer(vector.memoryview(), dtype=kind)))


def _is_na(item: Any) -> bool:
    ri = rinterface()
    return item is ri.NA_Character or item is ri.NA_Logical or item is ri.NA_Integer or (
        isinstance(item, float) and np.isnan(item)
    )  # fmt: skip


def _scalar(item: Any) -> Any:
    return next(kind(item) for kind in (bool, int, float, str) if isinstance(item, kind))


def _function(closure: Any) -> Callable[..., Any]:
    """Make a function of R one of Python."""

    def call(*args: Any, **named: Any) -> Any:
        given = [to_r(a) for a in args], {n: to_r(a) for n, a in named.items()}
        return from_r(closure(*given[0], **given[1]))

    return call


# -- R's side -------------------------------------------------------------------------------------


@cache
def _engine_in_r() -> Any:
    """Return the engine as a function of R; it must live as long as R may call it."""
    atexit.register(_engine_in_r.cache_clear)  # before the modules that its end needs are gone
    return rinterface().rternalize(_engine)


@cache
def _room() -> Any:
    """Evaluate ``larvastats.R`` around an engine in this process, once; return its environment."""
    ri = rinterface()
    room = ri.baseenv["new.env"](parent=ri.baseenv["globalenv"]())
    room["larvastats_engine"] = _engine_in_r()
    path, keep = ri.StrSexpVector([str(R_FILE)]), ri.BoolSexpVector([False])
    ri.baseenv["sys.source"](path, envir=room, **{"keep.source": keep})
    return room


_answering = 0


def is_answering() -> bool:
    """Whether R waits for an answer of Python."""
    return _answering > 0


def _engine(request: Any) -> Any:
    """Answer R; an exception must not get past here, since R cannot catch it."""
    global _answering
    try:
        _answering += 1
        asked = _get(request)
        _KEPT.forget(_listed(asked.get("forget")))
        return _put(answer(asked))
    except (Exception, KeyboardInterrupt) as error:
        return _put(failure(error))
    finally:
        _answering -= 1


def _listed(names: Any) -> list[str]:
    return [names] if isinstance(names, str) else list(names or ())


def _in_r(name: str) -> Any:
    """Return a function of ``larvastats.R`` that is not among the verbs, such as ``take``."""
    ri = rinterface()
    verb = _room()["larvastats"].find("help")
    return ri.baseenv["environment"](verb).find(name)


def provide(name: str = "larvastats") -> None:
    """Put the object ``larvastats`` into R's workspace, for ``%%R`` cells.

    Parameters
    ----------
    name : str
        What R shall call it.

    Raises
    ------
    DataError
        There is no R, no rpy2, or they do not fit together.
    """
    rinterface().globalenv[name] = _room()["larvastats"]


def to_r(value: Any) -> Sexp:
    """Return a table, a result or a plain value as R keeps it.

    Parameters
    ----------
    value : DataFrame, result, number, text, sequence, mapping or None
        A test becomes a ``larva_htest`` of class ``htest``, other results a ``larva_...`` of class
        ``larva_result``, a table a data.frame.

    Returns
    -------
    rpy2.rinterface.Sexp

    Raises
    ------
    DataError
        There is no R, no rpy2, or they do not fit together.
    """
    return _in_r("take")(_put(parts(value)))


def from_r(value: Sexp) -> Any:
    """Return what R keeps as Python has it: the reverse of :func:`to_r`.

    Raises
    ------
    DataError
        A column that tables here do not have, or a result of another session.
    """
    return value_of(_get(_in_r("give")(value)))


def converter() -> Converter:
    """Return rpy2's usual converter, with larvastats' tables and results.

    Examples
    --------
    >>> with localconverter(bridge.converter()):          # doctest: +SKIP
    ...     robjects.globalenv["result"] = ls.screen(seed=1)
    """
    ri = rinterface()
    import rpy2.robjects as robjects
    from rpy2.robjects.conversion import Converter

    from larvastats import results
    from larvastats.ethogram import Ethogram

    ours = Converter("larvastats", template=robjects.default_converter)
    kinds = [getattr(results, name) for name in results.__all__]
    for kind in (pd.DataFrame, Ethogram, *(k for k in kinds if isinstance(k, type))):
        ours.py2rpy.register(kind, to_r)

    back = dict.fromkeys(["data.frame", "larva_htest", "larva_result"], from_r)
    usual = ours.rpy2py_nc_map[ri.ListSexpVector].copy()  # the template's own stays as it is
    usual.update(back)
    ours.rpy2py_nc_map[ri.ListSexpVector] = usual
    return ours
