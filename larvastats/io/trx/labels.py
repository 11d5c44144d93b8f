"""Labels of trx.mat files: codes and signs, and the states that they mean.

A larva's labels are a series of codes:

- ``global_state_large_state``: 1 run, 2 cast, 3 stop, 4 hunch, 5 back, 6 roll, 7 small_motion;
  8 and 9 come from post-processing and mean different things at different sites (static bend,
  backup sequence, bend), so that they stay ``state_8`` and ``state_9``;
- ``global_state``: 1 to 6 of the same;
- ``global_state_small_large_state``: k for a strong action, k - 0.5 for a weak one;

or one series per action, +1 where the larva does it and -1 where not. A code that is NaN or 0, or
no series at +1, is a frame without label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.io.files import AnyPath
from larvastats.io.trx.matlab import Struct, all_series
from larvastats.vocabulary import LARVA_STATES

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

LABEL_FIELDS = frozenset(
    [SMALL, "global_state", "global_state_large_state", "global_state_small_large_state"]
    + [f"{a}{how}" for a in LARVA_STATES for how in ("", "_large", "_weak", "_strong")]
)
"""Fields that hold labels, so that they are no features."""


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


def has_labels(struct: Struct, labels: Labels) -> bool:
    """Whether the file has fields of that choice of labels."""
    fields = [field for field, _ in _CODED[labels]] + [f for own in _SIGNED[labels] for f in own]
    return any(field in struct for field in fields)


def no_labels(labels: Labels) -> str:
    """Say which fields would hold these labels, and that none of them is there."""
    wanted = [field for field, _ in _CODED[labels]]
    return (
        f"expected labels in {' or '.join(wanted)} (or one series per action, such as "
        f"{next(iter(_SIGNED[labels][0]))}), but the file has neither"
    )


def read_codes(
    struct: Struct, labels: Labels, length: Sequence[int]
) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """Read the labels of all larvae.

    Parameters
    ----------
    struct : Struct
    labels : Labels
    length : sequence of int
        Frames of every larva.

    Returns
    -------
    code : ndarray of int16, shape (frame,)
        Position in `states`; -1 without a label. Frames of one larva after those of another.
    states : tuple of str

    Raises
    ------
    DataError
        No such labels, values that are none, or of another number than frames.
    """
    for field, table in _CODED[labels]:
        if field in struct:
            values = np.concatenate(all_series(struct, field, length))
            return _decode(values, table, field, struct.path)
    for family in _SIGNED[labels]:
        fields = [name for name in family if name in struct]
        if fields:
            return _from_signs(struct, {name: family[name] for name in fields}, length)
    raise DataError(f"{struct.path}: {no_labels(labels)}; choose other --labels.")


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
        active = np.concatenate(all_series(struct, field, length)) > 0
        both = active & (code >= 0)
        if both.any():
            other = states[code[np.argmax(both)]]
            raise DataError(
                f"{struct.path}: a larva does one action at a time, but {field} and {other} are "
                f"both active in {int(both.sum())} frames; correct the labels."
            )
        code[active] = states.index(state)
    if SMALL in struct:
        active = np.concatenate(all_series(struct, SMALL, length)) > 0
        code[active & (code < 0)] = states.index(SMALL)
    return code, states
