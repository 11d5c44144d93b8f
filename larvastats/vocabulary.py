"""Names of behavioural states: the larva's six, their synonyms at other sites, and any others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError

LARVA_STATES = ("run", "cast", "stop", "hunch", "back", "roll")
"""The six actions of the *Drosophila* larva, in the order of the tracker's ``global_state``."""

EXTRA_LARVA_STATES = ("small_motion", "static_bend")
"""Further labels that some taggers use; they follow the six."""

SYNONYMS: Mapping[str, str] = {
    "crawl": "run",
    "bend": "cast",
    "head_cast": "cast",
    "headcast": "cast",
    "hunching": "hunch",
    "backup": "back",
    "back_up": "back",
    "back_crawl": "back",
    "backward_crawl": "back",
    "rolling": "roll",
}
"""Other sites' words for the larva's actions."""


MAX_STATES = 1000
"""Most states of a vocabulary; matrices of transitions have the square of it."""


def rename_states(
    labels: Iterable[str], synonyms: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Map the labels found in a source to the field's names.

    Spelling variants of a larva action (case, blanks, hyphens) and synonyms become the standard
    name, so that recordings labelled at two sites speak one language; every other label is kept
    as it is.

    Parameters
    ----------
    labels : iterable of str
        The distinct labels of the source.
    synonyms : mapping of str to str, optional
        Replaces :data:`SYNONYMS`; an empty mapping switches synonyms off.

    Returns
    -------
    dict of str to str
        New name of every label.
    """
    table = SYNONYMS if synonyms is None else synonyms
    renamed = {}
    for label in labels:
        plain = _plain(label)
        if label in table or plain in table:
            renamed[label] = table.get(label, table.get(plain, label))
        elif plain in LARVA_STATES or plain in EXTRA_LARVA_STATES:
            renamed[label] = plain
        else:
            renamed[label] = label.strip()
    return renamed


def order_states(names: Iterable[str]) -> tuple[str, ...]:
    """Sort state names: the larva's actions in their usual order, then the others by name.

    ``run_strong`` and ``run_weak`` stand where ``run`` stands.
    """
    known = LARVA_STATES + EXTRA_LARVA_STATES
    rank = {name: position for position, name in enumerate(known)}

    def place(name: str) -> tuple[int, str]:
        plain = name.removesuffix("_weak").removesuffix("_strong")
        return rank.get(plain, len(known)), name

    return tuple(sorted(set(names), key=place))


def state_codes(
    labels: Sequence[str],
    states: Sequence[str] | None,
    synonyms: Mapping[str, str] | None,
    source: str,
) -> tuple[tuple[str, ...], NDArray[np.int16]]:
    """Vocabulary, and the position in it of every label that occurs.

    Raises
    ------
    DataError
        `states` lacks one of them.
    """
    renamed = rename_states(labels, synonyms)
    found = set(renamed.values())
    names = order_states(found) if states is None else tuple(states)
    unknown = sorted(found - set(names))
    if unknown:
        raise DataError(
            f"{source}: expected the states {', '.join(names)}, but found "
            f"{', '.join(map(repr, unknown))}; add them to `states` or map them by `synonyms`."
        )
    if len(names) > MAX_STATES:
        raise DataError(
            f"{source}: expected a vocabulary of states in column state, but found {len(names)} "
            f"different ones, more than {MAX_STATES}; give the column that names the actions."
        )
    position = {name: code for code, name in enumerate(names)}
    return names, np.array([position[renamed[label]] for label in labels], dtype=np.int16)


def _plain(label: str) -> str:
    return "_".join(label.strip().casefold().replace("-", " ").split())


def closest(name: str, names: Sequence[str]) -> str:
    """Return ``; did you mean 'x'?`` for a word that is close to one of the names, else nothing."""
    near = get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""
