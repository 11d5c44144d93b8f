"""The body of a simulated larva: its measures, its individuality, and what each action does to it.

Numbers marked *measured* are those of 18 larvae in free exploration (Schleyer group,
doi:10.12751/g-node.5e1ifd; 12 midline points, 22 contour points, 16 Hz; ``analyses/larva.md``).

A wave of contraction runs from tail to head during forward crawling, and from head to tail during
backward crawling (Heckscher et al. 2012, J. Neurosci. 32:12460; Sun et al. 2022, BMC Biol.
20:130). A head cast bends the front of a body that stands still, a hunch shortens it, a stop keeps
it where it is (Masson et al. 2020, PLoS Genet. 16:e1008589). A rolling larva is bent into a C and
turns about its long axis, so that it moves sideways (Cooney et al. 2023, PNAS 120:e2303641120).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import UsageError
from larvastats.vocabulary import LARVA_STATES

Array = NDArray[np.float64]

N_SEGMENTS = 10
N_POINTS = N_SEGMENTS + 1
"""Points of a midline, equally far from each other along the body, as trackers place them."""

PULSE = 0.9
"""Concentration of the pulses in which head and tail advance (measured: their speed swings between
a third and twice its mean, as ``exp(PULSE cos) / I0(PULSE)`` does)."""

TRAVEL = 0.81
"""Share of a cycle that a wave takes from one end of the body to the other (measured: the head's
pulse comes .19 of a cycle before the next one of the tail)."""

HALF_WIDTH = np.array([
    0.000, 0.036, 0.066, 0.083, 0.089, 0.095, 0.098, 0.100, 0.102, 0.103, 0.104, 0.105, 0.105,
    0.105, 0.105, 0.103, 0.102, 0.100, 0.097, 0.093, 0.088, 0.082, 0.075, 0.066, 0.052, 0.030,
    0.000,
])  # fmt: skip
"""Half width of a straight body by its length, from tail to head at :data:`WIDTH_AT` (measured,
median of 747 frames; outlines of 22 vertices cut the ends off, which are rounded here)."""

WIDTH_AT = np.concatenate([[0.0], np.linspace(0.02, 0.98, 25), [1.0]])


@dataclass(frozen=True, slots=True)
class Kinematics:
    """What an action does to a body.

    Attributes
    ----------
    drive : float
        Waves per wave of a run; negative where they go backwards.
    stride : float
        Length of a stride, by that of a run.
    shortening : float
        Share of the length by which the body contracts.
    bend : float
        Scale (rad) of the bend from tail to head that the muscles ask for.
    front : float
        Where they bend the body: 0 evenly, 1 mainly in front, -1 mainly behind.
    bending : {'drift', 'sweeps', 'curl'}
        Whether bends come and go, sweep from side to side, or stay on one side.
    stiffness : float
        Rate (1/s) at which the joints follow them.
    sideways : float
        Turns per second about the long axis.
    """

    drive: float = 0.0
    stride: float = 1.0
    shortening: float = 0.0
    bend: float = 0.0
    front: float = 0.0
    bending: str = "drift"
    stiffness: float = 1.0
    sideways: float = 0.0


ACTIONS = {
    "run": Kinematics(drive=1.0, bend=0.30, front=1.0, stiffness=2.2),
    "cast": Kinematics(shortening=0.02, bend=1.3, front=0.6, bending="sweeps", stiffness=6.0),
    "stop": Kinematics(shortening=0.01, bend=0.35, front=1.0, stiffness=1.2),
    "hunch": Kinematics(shortening=0.24, bend=0.10, front=0.0, stiffness=3.0),
    "back": Kinematics(drive=-0.75, stride=0.75, shortening=0.02, bend=0.30, front=-1.0,
                       stiffness=4.0),
    "roll": Kinematics(shortening=0.05, bend=2.1, front=0.0, bending="curl", stiffness=9.0,
                       sideways=1.0),
}  # fmt: skip
"""Bodies of the six actions. Speed and bend of runs and casts are tuned to the measured larvae;
the others, which those hardly show, to the descriptions cited above."""


@dataclass(frozen=True, slots=True, eq=False)
class Bodies:
    """Measures of larvae, each of shape (larva,).

    Attributes
    ----------
    length : ndarray
        At rest, mm.
    frequency : ndarray
        Waves per second of a run.
    stride : ndarray
        Advance by one wave, by the length.
    bend : ndarray
        Factor on every bend.
    width : ndarray
        Factor on :data:`HALF_WIDTH`.
    """

    length: Array
    frequency: Array
    stride: Array
    bend: Array
    width: Array

    def __len__(self) -> int:
        """Return the number of larvae."""
        return len(self.length)


MEAN_LENGTH, LENGTH_SD = 4.17, 0.41
MEAN_FREQUENCY, MEAN_STRIDE = 1.38, 0.26
SHORTEST = 2.0


def draw_bodies(rng: np.random.Generator, n: int) -> Bodies:
    """Draw the measures of n larvae.

    Means and standard deviations are measured: length 4.17 mm, SD .41; 1.38 waves per second and
    .30 lengths per wave in vigorous runs, SD 8% each (a little less here, for runs that are not).
    """
    z = rng.standard_normal((5, n))
    return Bodies(
        np.maximum(MEAN_LENGTH + LENGTH_SD * z[0], SHORTEST),
        MEAN_FREQUENCY * np.exp(0.08 * z[1]),
        MEAN_STRIDE * np.exp(0.10 * z[2]),
        np.exp(0.15 * z[3]),
        np.exp(0.06 * z[4]),
    )


def kinematics_of(states: tuple[str, ...]) -> tuple[Kinematics, ...]:
    """Return what each of the states does to a body.

    Raises
    ------
    UsageError
        A state that no body is known for.
    """
    unknown = [state for state in states if state not in ACTIONS]
    if unknown:
        raise UsageError(
            f"A moving larva knows the actions {', '.join(LARVA_STATES)}, but not {unknown[0]!r}; "
            "rename it."
        )
    return tuple(ACTIONS[state] for state in states)
