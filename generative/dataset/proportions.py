"""How many sequences there are of each action, as the report's Table 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError

MIXES: Mapping[str, Mapping[str, float]] = {
    "report": {"run": 0.4475, "cast": 0.4475, "back": 0.05, "hunch": 0.0375, "roll": 0.0175},
}
"""Mixes by name; ``report`` is that of the report's training set, without stop."""

OUTSIDE = ("stop", "small_motion")
"""Actions that are indexed, but in no mix unless named."""


@dataclass(frozen=True, slots=True)
class Proportions:
    """Numbers of sequences by action.

    Attributes
    ----------
    actions : tuple of str
    counts : tuple of int
    """

    actions: tuple[str, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, actions: Sequence[str], codes: NDArray[np.integer]) -> Proportions:
        """Count codes of actions."""
        counts = np.bincount(codes, minlength=len(actions))
        return cls(tuple(actions), tuple(int(n) for n in counts))

    def __str__(self) -> str:
        """Return the table, the most frequent action first."""
        total = sum(self.counts)
        order = sorted(range(len(self.actions)), key=lambda k: -self.counts[k])
        width = max([len("all"), *map(len, self.actions)])
        lines = [f"{'action':<{width}}  {'sequences':>12}  proportion"]
        lines += [
            f"{self.actions[k]:<{width}}  {self.counts[k]:>12,}  {self.counts[k] / total:>10.2%}"
            for k in order
        ]
        return "\n".join([*lines, f"{'all':<{width}}  {total:>12,}  {1:>10.2%}"])


def parse_mix(text: str, actions: Sequence[str], found: NDArray[np.integer]) -> dict[str, float]:
    """Read a mix.

    Parameters
    ----------
    text : str
        ``report``; ``natural`` or ``equal``, over all actions but :data:`OUTSIDE` that occur; or
        proportions such as ``run=0.5,cast=0.5``, which are divided by their sum.
    actions : sequence of str
    found : ndarray of int, shape (action,)
        Sequences of each.

    Returns
    -------
    dict of str to float
        Proportions above 0; they sum to 1.

    Raises
    ------
    UsageError
        It is no mix.
    DataError
        It names an action that the index lacks.
    """
    inside = {a: int(n) for a, n in zip(actions, found, strict=True) if n and a not in OUTSIDE}
    if text == "natural":
        mix = {a: float(n) for a, n in inside.items()}
    elif text == "equal":
        mix = dict.fromkeys(inside, 1.0)
    else:
        mix = dict(MIXES[text]) if text in MIXES else _parsed(text)
    mix = {action: share for action, share in mix.items() if share > 0}
    missing = [a for a in mix if a not in actions or not found[list(actions).index(a)]]
    if missing or not mix:
        raise DataError(
            f"The mix {text} asks for sequences of {missing[0]!r}, but there are "
            f"{', '.join(f'{n} of {a}' for a, n in inside.items()) or 'none'}; choose another mix, "
            "such as --mix natural."
            if missing else f"The mix {text} asks for nothing; name actions above 0."
        )  # fmt: skip
    total = sum(mix.values())
    return {action: share / total for action, share in mix.items()}


def _parsed(text: str) -> dict[str, float]:
    mix: dict[str, float] = {}
    for item in text.split(","):
        name, sign, number = item.partition("=")
        try:
            mix[name.strip()] = float(number)
        except ValueError:
            sign = ""
        if not sign or not 0 <= mix[name.strip()] < float("inf"):
            raise UsageError(
                f"A mix is one of {', '.join(MIXES)}, natural, equal, or proportions such as "
                f"run=0.5,cast=0.5, but is {text!r}."
            )
    return mix


def exact_counts(mix: Mapping[str, float], n: int) -> dict[str, int]:
    """Return whole numbers in the mix's proportions that sum to `n` (largest remainders)."""
    exact = {action: share * n for action, share in mix.items()}
    counts = {action: int(value) for action, value in exact.items()}
    by_rest = sorted(exact, key=lambda action: counts[action] - exact[action])
    for action in by_rest[: n - sum(counts.values())]:
        counts[action] += 1
    return counts
