"""Move bodies through their actions: from bouts to tails, tangents and lengths over time.

A body is a chain of ten segments of equal length with a direction each. Four things move it:

- *waves*: a point at the share ``s`` of the body, from tail to head, advances in pulses, one per
  cycle, the later the farther in front it lies. Its progress is ``X + A stride pulse(phase - s
  travel)`` with the mean progress ``X``; head and tail get their speed, and the body its length,
  from it. Backwards, the phase runs backwards, and so does the wave;
- *following*: where a part of the body advances, it takes over the direction of the part before it
  (behind it when going backwards), as on a path. A path makes the rear half turn at twice bend x
  speed / length; in 18 real larvae it is 1.95 to 2.2, by where the halves are taken to meet;
- *muscles*: joints go to the bend that the action asks for, about a rear that stands still (a roll:
  about the middle);
- *rolling*: the whole body moves sideways, by its circumference per turn about its axis.

Every action has a membership between 0 and 1 that follows the bouts smoothly, and everything an
action asks for counts with it, so that no place or shape ever jumps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import ive

from larvastats.simulate.body import HALF_WIDTH, N_SEGMENTS, PULSE, TRAVEL, Bodies, Kinematics
from larvastats.simulate.chain import Bouts

Array = NDArray[np.float64]

STEP = 0.04
"""Step of the motion, s; frames at any times are interpolated."""

SETTLE = 0.09
"""Time constant (s) of each of the two low passes behind which an action begins and ends."""

_HARMONICS = np.arange(1, 6)
_PULSE = 2 * ive(_HARMONICS, PULSE) / ive(0, PULSE) / (2 * np.pi * _HARMONICS)
KEEP = float(np.exp(-STEP / SETTLE))
"""What such a low pass keeps from one step to the next."""

_LEAD = 50  # steps before the first, in the first action: no body begins straight and at rest
_SWEEPS = 8  # of one cast; a longer one keeps the last
_PATH_MEMORY, _PACE_MEMORY = 1.3, 4.0  # s
_ARC_MEMORY, _BRIEF = 12.0, 0.85  # s, and the share of bends that do not last: paths are arcs
_PACE_SD = 0.10
_TONE_SD, _TONE_MEMORY = 0.025, 1.5  # of the length
_SWAY = 0.05  # rad; bends to the sides in step with the waves
_WOBBLE = 0.12  # of the C of a rolling larva, once per turn
_LEAST_SWEEP, _OTHER_SIDE = 0.35, 0.4
_MOST_BENT = 3.4  # rad from tail to head; beyond, outlines would cross themselves
_PLATE_RADIUS = 25.0  # mm, within which larvae begin


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Bodies on the grid of :data:`STEP`, time first.

    Attributes
    ----------
    tail : ndarray of complex, shape (step, larva)
        Place of the tail, mm, x + iy.
    direction : ndarray, shape (step, larva, segment)
        Of every segment, from tail to head, rad; without jumps by a full turn.
    length : ndarray, shape (step, larva)
        mm.
    shortening : ndarray, shape (step, larva)
        Share of the length at rest by which it is contracted.
    phase : ndarray, shape (step, larva)
        Of the waves, in cycles.
    wave : ndarray, shape (step, larva)
        Amplitude of the waves by the length at rest: 0 in a body that does not crawl.
    axis : ndarray, shape (step, larva)
        Angle turned about the long axis, rad.
    scale : ndarray, shape (step,)
        Factor of the genotype on the size of the body.
    """

    tail: NDArray[np.complex128]
    direction: Array
    length: Array
    shortening: Array
    phase: Array
    wave: Array
    axis: Array
    scale: Array


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """What a genotype changes over time, each of shape (step,); ones where nothing."""

    speed: Array
    bend: Array
    length: Array


def n_steps(duration: float) -> int:
    """Return the number of grid points that cover a recording."""
    return int(np.ceil(duration / STEP - 1e-9)) + 2


def move(
    bodies: Bodies, bouts: Bouts, actions: Sequence[Kinematics], factors: Factors,
    rng: np.random.Generator,
) -> Motion:  # fmt: skip
    """Move larvae through their bouts.

    Parameters
    ----------
    bodies : Bodies
    bouts : Bouts
        Of every larva, without gaps.
    actions : sequence of Kinematics
        What each state of the bouts does to a body.
    factors : Factors
        Their length is that of the grid.
    rng : Generator

    Returns
    -------
    Motion
    """
    n, steps = len(bodies), _LEAD + len(factors.speed)
    factors = Factors(
        *(np.pad(getattr(factors, name), (_LEAD, 0), "edge") for name in Factors.__slots__)
    )
    clock = np.maximum(np.arange(steps) - _LEAD, 0) * STEP
    bout = _bout_at(bouts, n, clock)
    member = _memberships(bouts.state[bout], len(actions))
    phase, wave, advance = _waves(bodies, actions, member, factors, rng)
    shortening = _weighted(member, [a.shortening for a in actions])
    shortening *= _per_bout(bouts, bout, 0.15, rng)
    shortening += _TONE_SD * _noise(rng, steps, n, _TONE_MEMORY)
    shortening = smooth(np.clip(shortening, -0.08, 0.45))
    rest = bodies.length * factors.length[:, None]
    ends = [advance + rest * wave * pulse(phase - lag) for lag in (0.0, TRAVEL)]
    length = rest * (1 - shortening) + ends[1] - ends[0]
    retreat = np.gradient(rest * shortening, STEP, axis=0)
    speed = (np.gradient(ends[0], STEP, axis=0) + 0.2 * retreat,
             np.gradient(ends[1], STEP, axis=0) - 0.8 * retreat)  # fmt: skip
    turns = _weighted(member, [a.sideways for a in actions])
    axis = np.cumsum(2 * np.pi * turns * STEP, axis=0)
    sweeps = smooth(_sweeps(bouts, bout, clock, rng))
    goal = _goals(bodies, bouts, bout, actions, phase, axis, sweeps, factors, rng)
    direction = _directions(member, goal, actions, speed, length, rng)
    girth = 2 * np.pi * HALF_WIDTH.max() * bodies.width * rest
    drift = smooth(_sides(len(bouts.state), rng)[bout]) * girth * turns
    whole = _weighted(member, [float(a.sideways > 0) for a in actions])
    tail = _tails(direction, length, speed[0], drift, whole, rng)
    return Motion(
        tail[_LEAD:], direction[_LEAD:], length[_LEAD:], shortening[_LEAD:], phase[_LEAD:],
        wave[_LEAD:], axis[_LEAD:], factors.length[_LEAD:],
    )  # fmt: skip


def _bout_at(bouts: Bouts, n: int, clock: Array) -> NDArray[np.int64]:
    """Bout of every larva at every step, shape (step, larva)."""
    stride = 2.0 * clock[-1]
    key = bouts.larva * stride + bouts.t_start
    when = np.arange(n) * stride + clock[:, None]
    found = np.searchsorted(key, when + 1e-9, side="right") - 1
    return np.asarray(found)


def smooth(x: Array, keep: float = KEEP) -> Array:
    """Low-pass twice along the first axis, from its first value on."""
    for _ in range(2):
        x = lfilter([1 - keep], [1.0, -keep], x, axis=0, zi=keep * x[:1])[0]
    return x


def _memberships(state: NDArray[np.integer], n_states: int) -> Array:
    """How far every action has taken hold, shape (step, larva, state); sums to 1."""
    chosen = (state[..., None] == np.arange(n_states)).astype(np.float64)
    return smooth(chosen)


def _weighted(member: Array, values: Sequence[float]) -> Array:
    """Sum over actions, shape (step, larva); term by term, so that no library's order matters."""
    out = np.zeros(member.shape[:-1])
    for k, value in enumerate(values):
        if value:
            out += value * member[..., k]
    return out


def _noise(rng: np.random.Generator, steps: int, n: int, memory: float) -> Array:
    """Gaussian noise of unit variance with exponential memory, shape (step, larva)."""
    keep = float(np.exp(-STEP / memory))
    kick = rng.standard_normal((steps, n)) * np.sqrt(1 - keep**2)
    kick[0] /= np.sqrt(1 - keep**2)
    return np.asarray(lfilter([1.0], [1.0, -keep], kick, axis=0))


def _per_bout(bouts: Bouts, bout: NDArray[np.int64], sd: float, rng: np.random.Generator) -> Array:
    """Smooth factors that differ by chance from bout to bout, shape (step, larva)."""
    own = np.exp(sd * rng.standard_normal(len(bouts.state)) - sd**2 / 2)
    return smooth(own[bout])


def pulse(phase: Array) -> Array:
    """Progress of a point in its pulses, less the mean progress; in cycles, shape of `phase`."""
    angle = 2 * np.pi * phase
    out = np.zeros_like(phase)
    for k, weight in zip(_HARMONICS, _PULSE, strict=True):
        out += weight * np.sin(k * angle)
    return out


def _waves(
    bodies: Bodies, actions: Sequence[Kinematics], member: Array, factors: Factors,
    rng: np.random.Generator,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Phase (cycles), amplitude (by the length) and mean progress (mm), each (step, larva)."""
    steps, n = member.shape[:2]
    # a faster larva makes longer strides as well as more of them
    pace = np.sqrt(factors.speed)[:, None]
    rate = bodies.frequency * pace * np.exp(_PACE_SD * _noise(rng, steps, n, _PACE_MEMORY))
    stride = bodies.stride * pace * np.exp(_PACE_SD * _noise(rng, steps, n, _PACE_MEMORY))
    drive = _weighted(member, [a.drive for a in actions])
    wave = stride * _weighted(member, [a.stride * (a.drive != 0) for a in actions])
    phase = rng.random(n) + np.cumsum(rate * drive, axis=0) * STEP
    rest = bodies.length * factors.length[:, None]
    reach = _weighted(member, [a.stride * a.drive for a in actions])
    return phase, wave, np.cumsum(rate * stride * reach * rest, axis=0) * STEP


def _goals(
    bodies: Bodies, bouts: Bouts, bout: NDArray[np.int64], actions: Sequence[Kinematics],
    phase: Array, axis: Array, sweeps: Array, factors: Factors, rng: np.random.Generator,
) -> Array:  # fmt: skip
    """Bend (rad) that each action would ask for, shape (step, larva, state)."""
    steps, n = bout.shape
    side = _sides(len(bouts.state), rng)[bout]
    shapes = {
        "drift": _BRIEF * _noise(rng, steps, n, _PATH_MEMORY)
        + np.sqrt(1 - _BRIEF**2) * _noise(rng, steps, n, _ARC_MEMORY),
        "sweeps": sweeps,
        "curl": smooth(side) * (1 + _WOBBLE * np.sin(axis)),
    }
    goal = np.stack([action.bend * shapes[action.bending] for action in actions], axis=-1)
    sway = _SWAY * np.sin(2 * np.pi * phase)
    for k, action in enumerate(actions):
        if action.drive > 0:
            goal[..., k] += sway
    goal *= (bodies.bend * factors.bend[:, None])[..., None]
    return np.asarray(_MOST_BENT * np.tanh(goal / _MOST_BENT))


def _sides(n: int, rng: np.random.Generator) -> Array:
    return np.where(rng.random(n) < 0.5, -1.0, 1.0)


def _sweeps(bouts: Bouts, bout: NDArray[np.int64], clock: Array, rng: np.random.Generator) -> Array:
    """Draw the sweeps of casting heads, by their scale, shape of `bout`; each lasts about 1 s.

    A cast ends where its last sweep has brought it, and the run that follows takes the path of the
    head: casts turn larvae.
    """
    n = len(bouts.state)
    size = _LEAST_SWEEP + (1 - _LEAST_SWEEP) * rng.standard_exponential((n, _SWEEPS))
    turned = np.where(rng.random((n, _SWEEPS)) < _OTHER_SIDE, -1.0, 1.0)
    turned[:, 0] = _sides(n, rng)
    size *= np.cumprod(turned, axis=1)
    lasting = rng.uniform(0.6, 1.5, n)
    sweep = ((clock[:, None] - bouts.t_start[bout]) / lasting[bout]).astype(np.int64)
    return np.asarray(size[bout, np.clip(sweep, 0, _SWEEPS - 1)])


def _profiles(actions: Sequence[Kinematics]) -> tuple[Array, Array]:
    """Share of every joint in a bend, and how stiffly it follows, each of shape (state, joint)."""
    at = np.arange(1, N_SEGMENTS) / N_SEGMENTS  # from the tail
    share, stiffness = [], []
    for action in actions:
        # measured in bends of more than .8 rad: three times as much in the middle as at the ends
        arch = np.sin(np.pi * at) ** (0.5 if action.bending == "curl" else 1.5)
        lean = np.exp(3.0 * action.front * (at - 0.5)) * arch
        share.append(lean / lean.sum())
        # a crawling body is slack but for the end that leads
        leading = at if action.drive > 0 else 1 - at
        slack = 1 / (1 + np.exp(-20 * (leading - 0.7))) if action.drive else np.ones_like(at)
        stiffness.append(action.stiffness * slack)
    return np.array(share), np.array(stiffness)


def _directions(
    member: Array, goal: Array, actions: Sequence[Kinematics], speed: tuple[Array, Array],
    length: Array, rng: np.random.Generator,
) -> Array:  # fmt: skip
    """Directions of the segments from tail to head, shape (step, larva, segment)."""
    steps, n = length.shape
    share, stiffness = _profiles(actions)
    pull = np.zeros((steps, n, N_SEGMENTS - 1))
    wanted = np.zeros_like(pull)
    for k in range(len(actions)):
        pull += member[..., k, None] * (STEP * stiffness[k])
        wanted += (member[..., k] * goal[..., k])[..., None] * (STEP * stiffness[k] * share[k])
    middle = np.arange(N_SEGMENTS) + 0.5
    flow = speed[0][..., None] + middle / N_SEGMENTS * (speed[1] - speed[0])[..., None]
    flow = np.clip(flow * STEP * N_SEGMENTS / length[..., None], -0.95, 0.95)
    ahead, behind = np.maximum(flow[..., :-1], 0.0), np.maximum(-flow[..., 1:], 0.0)
    # what keeps its direction while joints bend: the rear, or in a roll the whole body
    whole = _weighted(member, [float(a.sideways > 0) for a in actions])
    turn = np.zeros((n, N_SEGMENTS))
    out = np.empty((steps, n, N_SEGMENTS))
    theta = np.tile(rng.uniform(-np.pi, np.pi, (n, 1)), N_SEGMENTS)
    for k in range(steps):
        joint = np.diff(theta, axis=1)
        theta[:, :-1] += ahead[k] * joint
        theta[:, 1:] -= behind[k] * joint
        np.cumsum(wanted[k] - pull[k] * np.diff(theta, axis=1), axis=1, out=turn[:, 1:])
        theta += turn - whole[k, :, None] * turn.mean(axis=1, keepdims=True)
        out[k] = theta
    return out


def _tails(
    direction: Array, length: Array, speed: Array, drift: Array, whole: Array,
    rng: np.random.Generator,
) -> NDArray[np.complex128]:  # fmt: skip
    """Places of the tails, shape (step, larva)."""
    n = length.shape[1]
    along = np.exp(1j * direction)
    weight = np.arange(N_SEGMENTS, 0, -1) / (N_SEGMENTS + 1) / N_SEGMENTS
    # from the tail to the mean of the points
    middle = length * np.add.reduce(along * weight, axis=2)
    chord = np.add.reduce(along, axis=2)
    across = 1j * chord / np.abs(chord)
    swing = np.diff(middle, axis=0, prepend=middle[:1])
    step = speed * STEP * along[..., 0] + drift * STEP * across - whole * swing
    start = _PLATE_RADIUS * np.sqrt(rng.random(n)) * np.exp(2j * np.pi * rng.random(n))
    return np.asarray(start + np.cumsum(step, axis=0))
