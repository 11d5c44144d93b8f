"""trx.mat, the tracker's output: MATLAB 7.3, one struct array ``trx`` with one element per larva.

Read are the times, the labels and the identity; no other field is touched.

Labels, as a larva's series of codes:

- ``global_state_large_state``: 1 run, 2 cast, 3 stop, 4 hunch, 5 back, 6 roll, 7 small_motion;
  8 and 9 come from post-processing and mean different things at different sites (static bend,
  backup sequence, bend), so that they stay ``state_8`` and ``state_9``;
- ``global_state``: 1 to 6 of the same;
- ``global_state_small_large_state``: k for a strong action, k - 0.5 for a weak one.

or as one series per action, +1 where the larva does it and -1 where not. A code that is NaN or 0,
or no series at +1, is a frame without label.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.combine import merge_short
from larvastats.errors import DataError, LarvastatsError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io.files import AnyPath
from larvastats.io.matlab import (
    MAX_VALUES,
    Struct,
    cells,
    is_matlab73,
    open_struct,
    read_series,
    read_text,
)
from larvastats.io.paths import AssayIdentity, identify, make_identity
from larvastats.io.trx_write import write
from larvastats.vocabulary import LARVA_STATES

__all__ = ["Labels", "check_labels", "read", "sniff", "write"]

Labels = Literal["large", "all", "strong"]

SMALL = "small_motion"
LARGE_CODES: Mapping[float, str] = {
    **{k: name for k, name in enumerate(LARVA_STATES, 1)},
    7: SMALL, 8: "state_8", 9: "state_9",
}  # fmt: skip
"""States of ``global_state_large_state`` and ``global_state``."""

ALL_CODES: Mapping[float, str] = {
    **{k: f"{name}_strong" for k, name in enumerate(LARVA_STATES, 1)},
    **{k - 0.5: f"{name}_weak" for k, name in enumerate(LARVA_STATES, 1)},
    6.5: SMALL, 7: SMALL,
}  # fmt: skip
"""States of ``global_state_small_large_state`` when weak and strong actions are kept apart."""

STRONG_CODES: Mapping[float, str] = {
    **{k: name for k, name in enumerate(LARVA_STATES, 1)},
    **{k - 0.5: SMALL for k in range(1, len(LARVA_STATES) + 2)},
    7: SMALL,
}
"""The same with strong actions only: a weak one is a small motion."""

_CODED: Mapping[str, tuple[tuple[str, Mapping[float, str]], ...]] = {
    "large": (("global_state_large_state", LARGE_CODES), ("global_state", LARGE_CODES)),
    "all": (("global_state_small_large_state", ALL_CODES),),
    "strong": (("global_state_small_large_state", STRONG_CODES),),
}
_SIGNED: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "large": ({f"{a}_large": a for a in LARVA_STATES}, {a: a for a in LARVA_STATES}),
    "all": ({f"{a}_{how}": f"{a}_{how}" for a in LARVA_STATES for how in ("weak", "strong")},),
    "strong": (
        {f"{a}_strong": a for a in LARVA_STATES} | {f"{a}_weak": SMALL for a in LARVA_STATES},
    ),
}
_STAMP = re.compile(r"[0-9]{8}_[0-9]{6}")


def sniff(path: AnyPath) -> bool:
    """Whether the content is a MATLAB 7.3 file with a struct array ``trx``."""
    try:
        if not is_matlab73(path):
            return False
        with open_struct(path, "trx", "t"):
            return True
    except LarvastatsError:
        return False


def check_labels(labels: str) -> Labels:
    """Return `labels` if it is a choice of labels.

    Raises
    ------
    UsageError
        It is none.
    """
    for known in get_args(Labels):
        if labels == known:
            return known
    raise UsageError(
        f"--labels must be one of {', '.join(get_args(Labels))}, but is {labels!r}; labels from a "
        "file are not read in this version."
    )


def read(
    path: AnyPath,
    labels: str = "large",
    min_bout: float = 0.0,
    *,
    identity: AssayIdentity | None = None,
) -> Ethogram:
    """Read the labels of a trx.mat file.

    Parameters
    ----------
    path : path
    labels : {'large', 'all', 'strong'}
        ``large``: the actions and ``small_motion``, from ``global_state_large_state``, else
        ``global_state``, else the series ``run_large``, ... or ``run``, ...; ``all``: weak and
        strong actions as states of their own (``run_weak``, ``run_strong``, ...); ``strong``:
        strong actions, with every weak one as ``small_motion``.
    min_bout : float
        Shortest bout to keep, in s; see :func:`larvastats.combine.merge_short`.
    identity : AssayIdentity, optional
        Supplies what the file does not say itself; by default what the path says.

    Returns
    -------
    Ethogram
        One assay per ``id`` in the file, named as :class:`larvastats.io.paths.AssayIdentity`
        names them; where the file's ``id`` is no date and time, by that ``id``.

    Raises
    ------
    UsageError
        No such file, or no such choice of labels.
    DataError
        The file is damaged, is no trx.mat, or holds no labels of that kind.
    """
    chosen = check_labels(labels)
    identity = identity or identify(path)
    with open_struct(path, "trx", "t") as struct:
        tracks = _tracks(struct, chosen)
        assay_of, known = _assays(struct, identity)
        names = _larva_names(struct)
    table = _frames(tracks, names, assay_of, known)
    if not len(table):
        raise DataError(f"{path}: expected labelled frames, but no larva has one.")
    return merge_short(Ethogram.from_frames(table, source=str(path)), min_bout)


@dataclass(frozen=True, slots=True)
class _Tracks:
    """Frames of all larvae: larva, time and code of every frame, and what the codes mean."""

    larva: NDArray[np.int64]
    t: NDArray[np.float64]
    code: NDArray[np.int16]
    states: tuple[str, ...]


def _tracks(struct: Struct, labels: Labels) -> _Tracks:
    """Read times and labels of every larva; frames without a time are left out."""
    times = _all_series(struct, "t")
    length = [len(series) for series in times]
    code, states = _codes(struct, labels, length)
    t = np.concatenate(times)
    larva = np.repeat(np.arange(struct.size), length)
    timed = np.isfinite(t)
    return _Tracks(larva[timed], t[timed], code[timed], states)


def _all_series(
    struct: Struct, name: str, length: Sequence[int] | None = None
) -> list[NDArray[np.float64]]:
    """Series of every larva, each as long as its time axis."""
    found, total = [], 0
    for larva, cell in enumerate(cells(struct, name)):
        total += cell.size or 0
        if total > MAX_VALUES:
            raise DataError(
                f"{struct.path}: field {name!r} declares more than {MAX_VALUES:,} values, "
                "more than any recording has; the file is damaged."
            )
        series = read_series(struct, name, cell)
        if length is not None and len(series) != length[larva]:
            raise DataError(
                f"{struct.path}: expected {length[larva]} values in field {name!r} of larva number "
                f"{larva + 1}, one per time, but found {len(series)}; the file is damaged."
            )
        found.append(series)
    return found


def _codes(
    struct: Struct, labels: Labels, length: Sequence[int]
) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """Code of every frame (-1: no label), shape (frame,), and the states they mean."""
    for field, table in _CODED[labels]:
        if field in struct:
            values = np.concatenate(_all_series(struct, field, length))
            return _decode(values, table, field, struct.path)
    for family in _SIGNED[labels]:
        fields = [name for name in family if name in struct]
        if fields:
            return _from_signs(struct, {name: family[name] for name in fields}, length)
    wanted = [field for field, _ in _CODED[labels]]
    raise DataError(
        f"{struct.path}: expected labels in {' or '.join(wanted)} (or one series per action, such "
        f"as {next(iter(_SIGNED[labels][0]))}), but the file has neither; choose other --labels."
    )


def _decode(
    values: NDArray[np.float64], table: Mapping[float, str], field: str, path: AnyPath
) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """Turn the tracker's numbers into codes of states."""
    states = tuple(dict.fromkeys(table.values()))
    code = np.full(len(values), -1, dtype=np.int16)
    known = np.isnan(values) | (values == 0)
    for number, state in table.items():
        here = values == number
        code[here] = states.index(state)
        known |= here
    if not known.all():
        wrong = values[np.argmin(known)]
        expected = ", ".join(f"{number:g} {state}" for number, state in sorted(table.items()))
        raise DataError(
            f"{path}: {int((~known).sum())} values of {field} are no known label (first: "
            f"{wrong:g}); expected {expected}, or NaN or 0 for none."
        )
    return code, states


def _from_signs(
    struct: Struct, family: Mapping[str, str], length: Sequence[int]
) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """Codes from one ±1 series per action; ``small_motion`` counts where no action does."""
    states = tuple(dict.fromkeys([*family.values(), SMALL]))
    code = np.full(sum(length), -1, dtype=np.int16)
    for field, state in family.items():
        active = np.concatenate(_all_series(struct, field, length)) > 0
        both = active & (code >= 0)
        if both.any():
            other = states[code[np.argmax(both)]]
            raise DataError(
                f"{struct.path}: a larva does one action at a time, but {field} and {other} are "
                f"both active in {int(both.sum())} frames; correct the labels."
            )
        code[active] = states.index(state)
    if SMALL in struct:
        active = np.concatenate(_all_series(struct, SMALL, length)) > 0
        code[active & (code < 0)] = states.index(SMALL)
    return code, states


def _larva_names(struct: Struct) -> list[str]:
    """Ids of the larvae: their numbers, unless they have proper names; else their positions."""
    names: list[str] = []
    for field in ("numero_larva_num", "numero_larva"):
        if field not in struct:
            continue
        found = [read_text(struct, field, cell) for cell in cells(struct, field)]
        if not names or not all(name.isdigit() for name in found):
            names = found if all(found) else names
    return names or [str(number) for number in range(1, struct.size + 1)]


def _assays(
    struct: Struct, path_identity: AssayIdentity | None
) -> tuple[NDArray[np.int64], list[dict[str, str | None]]]:
    """Assay of every larva, and the identity of every assay; the path fills the blanks."""
    ids = [""] * struct.size
    if "id" in struct:
        ids = [read_text(struct, "id", cell) for cell in cells(struct, "id")]
    assay_of, distinct = pd.factorize(np.array(ids, dtype=object))
    first = [int(np.argmax(assay_of == code)) for code in range(len(distinct))]
    fields = {
        name: cells(struct, name)
        for name in ("neuron", "stimuli", "protocol", "pipeline")
        if name in struct
    }
    known = []
    for larva in first:
        said = {name: read_text(struct, name, column[larva]) for name, column in fields.items()}
        known.append(_identity(struct.path, ids[larva], said, path_identity))
    return assay_of, known


def _identity(
    path: AnyPath, assay: str, said: Mapping[str, str], by_path: AssayIdentity | None
) -> dict[str, str | None]:
    """Columns of identity of one assay."""
    line, _, after = said.get("neuron", "").partition("@")
    effector = said.get("stimuli", "") or after
    line = line or (by_path.line if by_path else "")
    if not line:
        raise DataError(
            f"{path}: expected the line in the field 'neuron' or in the folder "
            "<line>@<effector>, but neither names one; move the file into its database."
        )
    if by_path and not assay:
        assay = by_path.assay.rpartition("/")[2]
    rest = {
        "effector": effector or (by_path.effector if by_path else ""),
        "protocol": said.get("protocol", "") or (by_path.protocol if by_path else ""),
        "tracker": said.get("pipeline", "") or (by_path.tracker if by_path else ""),
    }
    if not _STAMP.fullmatch(assay):
        return {"assay": assay or Path(path).stem, "line": line, **rest}
    made = make_identity(rest["tracker"], line, rest["effector"], rest["protocol"], assay)
    return {
        "assay": made.assay, "line": made.line, "effector": made.effector,
        "protocol": made.protocol, "tracker": made.tracker, "date": made.date, "time": made.time,
    }  # fmt: skip


def _frames(
    tracks: _Tracks,
    names: Sequence[str],
    assay_of: NDArray[np.int64],
    known: Sequence[Mapping[str, str | None]],
) -> pd.DataFrame:
    """Table of frames in compact columns."""
    assay = assay_of[tracks.larva]
    table = pd.DataFrame({"t": tracks.t})
    table["state"] = pd.Categorical.from_codes(tracks.code, list(tracks.states))
    larva, distinct = pd.factorize(np.array(names, dtype=object))
    table["larva"] = pd.Categorical.from_codes(larva[tracks.larva], list(distinct))
    for column in known[0].keys() | set().union(*known):
        values = [identity.get(column) or None for identity in known]
        if any(values):
            codes, levels = pd.factorize(np.array(values, dtype=object))
            table[column] = pd.Categorical.from_codes(codes[assay], list(levels))
    return table
