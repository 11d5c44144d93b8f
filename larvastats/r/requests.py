"""One question of R and its answer: which verb, with which arguments; parts, or a sentence."""

from __future__ import annotations

import difflib
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import larvastats
from larvastats.errors import LarvastatsError, UsageError
from larvastats.r.columns import from_columns
from larvastats.r.formula import RFormula, fitted
from larvastats.r.parts import Handle, parts, picture

Verb = Callable[..., Any]


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a question of R; never raises.

    Parameters
    ----------
    request : mapping
        ``verb``: a public verb, ``plot``, ``bouts`` (of an ethogram) or ``about``; ``arguments``:
        plain parts by name. Of ``plot`` also ``width height dpi``.

    Returns
    -------
    dict
        ``value``: plain parts; or ``error``: ``kind`` (``data``, ``usage``, ``interrupt``,
        ``fault``) and ``message``, one sentence.
    """
    try:
        return {"value": _perform(request)}
    except (Exception, KeyboardInterrupt) as error:
        return failure(error)


def failure(error: BaseException) -> dict[str, Any]:
    """Return the answer that an exception is: ``error``, as in :func:`answer`."""
    if isinstance(error, LarvastatsError):
        return _failed("usage" if isinstance(error, UsageError) else "data", str(error))
    if isinstance(error, KeyboardInterrupt):
        return _failed("interrupt", "interrupted.")
    if isinstance(error, MemoryError):
        return _failed("data", "not enough memory; use fewer processes (jobs), less data "
                       "(exclude) or a larger machine.")  # fmt: skip
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        return _failed("data", f"reading or writing failed: {error.strerror or error}{where}.")
    said = _said_by_r(error)
    if said is not None:
        return _failed("data", said)
    traceback.print_exception(error, file=sys.stderr)
    return _failed("fault", f"this is a fault of larvastats, please report what stands above: "
                   f"{type(error).__name__}: {error}")  # fmt: skip


def _failed(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"kind": kind, "message": message}}


def _said_by_r(error: BaseException) -> str | None:
    """Return the sentence for an error of R's own inside a function that R gave; None if other."""
    if type(error).__name__ != "RRuntimeError":
        return None
    text = " ".join(str(error).split()).removeprefix("Error in ").rstrip(" .")
    return (
        f"the R function that was given failed ({text}); call it alone with the same arguments "
        "in R to find out why."
    )


def verbs() -> dict[str, Verb]:
    """Return the public verbs by name."""
    found = {name: getattr(larvastats, name) for name in larvastats.__all__ if name[0].islower()}
    return {name: verb for name, verb in sorted(found.items()) if inspect.isfunction(verb)}


def _perform(request: Mapping[str, Any]) -> Any:
    name = str(request["verb"])
    arguments = {k: value_of(v) for k, v in (request.get("arguments") or {}).items()}
    if name == "about":
        return about()
    if name == "plot":
        return _draw(request, arguments)
    if name == "bouts":
        return parts(arguments["x"].to_bouts())
    known = verbs()
    if name not in known:
        raise UsageError(f"there is no verb {name!r}; there are {', '.join(known)}.")
    return parts(_call(name, known[name], arguments))


def about() -> dict[str, Any]:
    """Describe the verbs: their arguments in order, with defaults as R writes them."""
    return {
        "version": larvastats.__version__,
        "verbs": {
            name: {
                "title": (inspect.getdoc(verb) or "").split("\n")[0],
                "help": inspect.getdoc(verb) or "",
                "arguments": _formals(verb),
            }
            for name, verb in verbs().items()
        },
    }


def _formals(verb: Verb) -> list[list[str]]:
    out, rest = [], False
    for parameter in inspect.signature(verb).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            rest = True
        elif parameter.name not in ("progress",):
            out.append([parameter.name, _in_r(parameter.default)])
    return out + ([["...", ""]] if rest else [])


def _in_r(default: Any) -> str:
    """Write a default in R's language; empty where there is none."""
    if default is inspect.Parameter.empty:
        return ""
    if default is None or default == ():
        return "NULL"
    if isinstance(default, bool):
        return "TRUE" if default else "FALSE"
    if isinstance(default, tuple | list):
        return f"c({', '.join(map(_in_r, default))})"
    return f'"{default}"' if isinstance(default, str) else repr(default)


def value_of(part: Any) -> Any:
    """Return what a plain part of R stands for: a table, a formula, an object, plain values."""
    if isinstance(part, Handle):
        return part.value
    if isinstance(part, np.ndarray):
        return [_number(v) for v in part.tolist()]
    if isinstance(part, float):
        return _number(part)
    if isinstance(part, list):
        return [value_of(v) for v in part]
    if not isinstance(part, Mapping):
        return part
    if ".table" in part:
        return from_columns(_listed(part[".table"]["columns"]), int(part[".table"]["rows"]))
    if ".formula" in part:
        return RFormula.of(part[".formula"])
    return {name: value_of(v) for name, v in part.items()}


def _listed(columns: Any) -> list[Any]:
    return list(columns.values()) if isinstance(columns, Mapping) else list(columns or ())


def _number(value: Any) -> Any:
    """Whole numbers are integers: R's ``seed = 1`` is a double."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _call(name: str, verb: Verb, arguments: dict[str, Any]) -> Any:
    takes = inspect.signature(verb).parameters
    given = _named(name, takes, arguments)
    for argument, value in given.items():
        wants = str(takes[argument].annotation) if argument in takes else ""
        if "Sequence[" in wants and not isinstance(value, list | str | None):
            given[argument] = [value]
    if "progress" in takes:
        given.setdefault("progress", True)
    if isinstance(given.get("formula"), RFormula):
        given |= fitted(given)
    needed = (p for p in takes.values() if p.default is p.empty and p.kind is not p.VAR_KEYWORD)
    missing = [p.name for p in needed if p.name not in given]
    if missing:
        raise UsageError(f"{name} needs the argument {missing[0]}.")
    return verb(**given)


def _named(
    name: str, takes: Mapping[str, inspect.Parameter], arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Bring R's names of arguments into Python's; refuse those that no one knows."""
    known = [n for n, p in takes.items() if p.kind is not p.VAR_KEYWORD]
    if len(known) < len(takes):
        known += [n for n in inspect.signature(larvastats.load).parameters if n not in known]
    out: dict[str, Any] = {}
    for written, value in arguments.items():
        argument = written.replace(".", "_")
        argument = "source" if argument == "data" and "source" in known else argument
        if argument not in known:
            close = difflib.get_close_matches(argument, known, 1)
            hint = f"do you mean {close[0]}?" if close else f"it takes {', '.join(known)}."
            raise UsageError(f"{name} has no argument {written!r}; {hint}")
        if argument in out:
            raise UsageError(f"{name} was given the argument {argument} twice.")
        out[argument] = value
    return out


def _draw(request: Mapping[str, Any], arguments: dict[str, Any]) -> Any:
    result = arguments.pop("x")
    if not hasattr(result, "plot"):
        raise UsageError(f"there is no picture of a {type(result).__name__}; print it instead.")
    takes = inspect.signature(result.plot).parameters
    figure = result.plot(**_named("plot", takes, arguments))
    size = (float(request.get(k) or d) for k, d in (("width", 7), ("height", 7), ("dpi", 150)))
    return picture(figure, *size)
