"""How larvae of the control behave: a semi-Markov chain for each of two screens.

A larva that leaves action ``i`` at time ``t`` takes up action ``j`` with probability
``P(t)[i, j]`` and keeps it for a gamma-distributed time of mean ``m_j(t)``. Both follow the
stimulus through *responses*. A response has a strength ``w(t)`` in [0, 1]: full at the first
onset, it wanes towards a floor while the stimulus lasts and recovers while it is off, so that it
habituates both within a long stimulus and over repeated ones (the desensitisation and
resensitisation of Berne et al. 2023, eLife 12:e69205, one variable for each response).

Two responses act in each screen: a *startle*, strong and short, and a *sustained* one, which
shows where the startle has waned.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from larvastats.errors import UsageError
from larvastats.protocol import Protocol, parse_protocol
from larvastats.vocabulary import LARVA_STATES

DEAD_TIME = 0.05
"""No bout ends earlier than this many seconds after its start: a tracker sees no shorter one."""

LIGHT_PROTOCOL = "r_LED100_30s2x15s30s#n#n#n"
AIRPUFF_PROTOCOL = "p_8_45s1x30s0s#p_8_105s10x2s10s#n#n"


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """What a stimulus does to the chain while the response lasts.

    Attributes
    ----------
    transitions : ndarray, shape (from, to)
        Transition probabilities at full strength; rows sum to 1, the diagonal is 0.
    dwell_factor : ndarray, shape (state,)
        Factor on the mean dwell time at full strength.
    tau : float
        Time constant (s) of the waning while the stimulus is on.
    floor : float
        Strength that an endless stimulus would leave.
    recovery : float
        Time constant (s) of the recovery while the stimulus is off.
    release : float
        Time constant (s) with which the response itself ends after the stimulus.
    """

    transitions: NDArray[np.float64]
    dwell_factor: NDArray[np.float64]
    tau: float
    floor: float
    recovery: float
    release: float


@dataclass(frozen=True, slots=True, eq=False)
class ScreenModel:
    """The behaviour of a control larva in one protocol.

    Attributes
    ----------
    name : str
        ``light`` or ``airpuff`` for the built-in ones.
    protocol : str
        Protocol string; its windows are those of :mod:`larvastats.protocol`.
    effector, tracker : str
        As in the paths of a database.
    duration : float
        Length of a recording, s.
    states : tuple of str, length K
    transitions : ndarray, shape (from, to)
        Probabilities without a stimulus; rows sum to 1, the diagonal is 0.
    dwell_mean : ndarray, shape (state,)
        Mean dwell time without a stimulus, s; above :data:`DEAD_TIME`.
    dwell_shape : ndarray, shape (state,)
        Shape of the gamma distribution of the dwell time beyond :data:`DEAD_TIME`.
    startle, sustained : Response
    loss_rate : ndarray, shape (state,)
        Tracks lost per second in each state.

    Raises
    ------
    UsageError
        A matrix that is no transition matrix, or a dwell time too short.
    """

    name: str
    protocol: str
    effector: str
    tracker: str
    duration: float
    states: tuple[str, ...]
    transitions: NDArray[np.float64]
    dwell_mean: NDArray[np.float64]
    dwell_shape: NDArray[np.float64]
    startle: Response
    sustained: Response
    loss_rate: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check the matrices."""
        matrices = {
            "transitions": self.transitions,
            "startle.transitions": self.startle.transitions,
            "sustained.transitions": self.sustained.transitions,
        }
        for name, matrix in matrices.items():
            _check_matrix(name, matrix, len(self.states))
        if (self.dwell_mean <= DEAD_TIME).any() or (self.dwell_shape <= 0).any():
            raise UsageError(
                f"Model {self.name!r}: every mean dwell time must exceed {DEAD_TIME} s and every "
                "shape must be positive; correct dwell_mean and dwell_shape."
            )

    @property
    def timing(self) -> Protocol:
        """The protocol, read."""
        return parse_protocol(self.protocol)


def _check_matrix(name: str, matrix: NDArray[np.float64], n_states: int) -> None:
    if matrix.shape != (n_states, n_states):
        raise UsageError(
            f"{name} must have shape ({n_states}, {n_states}), one row per state, but has "
            f"{matrix.shape}."
        )
    sums = matrix.sum(axis=1)
    if (matrix < 0).any() or np.diag(matrix).any() or not np.allclose(sums, 1.0):
        raise UsageError(
            f"{name} must hold probabilities with rows that sum to 1 and a diagonal of 0, but its "
            f"rows sum to {np.round(sums, 4).tolist()} and its diagonal is "
            f"{np.diag(matrix).tolist()}."
        )


def matrix(rows: ArrayLike) -> NDArray[np.float64]:
    """Return relative weights as a transition matrix: diagonal 0, rows divided by their sum."""
    out = np.array(rows, dtype=np.float64)
    np.fill_diagonal(out, 0.0)
    return out / out.sum(axis=1, keepdims=True)


# Rows and columns in the order run, cast, stop, hunch, back, roll: long runs, short casts and
# stops. The dark of the light screen and the still air of the other differ in the rare actions:
# hunches fill 0.10% of the frames before an air puff, rolls next to none.
_DARK = matrix(
    [
        [0.0000, 0.6900, 0.2600, 0.0022, 0.0450, 0.0020],
        [0.7600, 0.0000, 0.1700, 0.0022, 0.0600, 0.0040],
        [0.5200, 0.3900, 0.0000, 0.0030, 0.0800, 0.0040],
        [0.2500, 0.3700, 0.2400, 0.0000, 0.1300, 0.0100],
        [0.3400, 0.4500, 0.1900, 0.0080, 0.0000, 0.0080],
        [0.5200, 0.3100, 0.1200, 0.0150, 0.0350, 0.0000],
    ]
)
_STILL_AIR = matrix(
    [
        [0.0000, 0.6900, 0.2600, 0.0038, 0.0450, 0.0002],
        [0.7600, 0.0000, 0.1700, 0.0038, 0.0600, 0.0003],
        [0.5200, 0.3900, 0.0000, 0.0050, 0.0800, 0.0003],
        [0.2500, 0.3700, 0.2400, 0.0000, 0.1300, 0.0010],
        [0.3400, 0.4500, 0.1900, 0.0140, 0.0000, 0.0010],
        [0.5200, 0.3100, 0.1200, 0.0150, 0.0350, 0.0000],
    ]
)
_REST_DWELL = np.array([6.0, 1.6, 0.8, 0.7, 1.3, 1.4])
_SHAPE = np.array([1.5, 1.8, 1.6, 2.5, 2.0, 3.0])
# A hunching larva shrinks and a rolling one turns its midline: both lose their track more often.
_LOSS = np.array([0.002, 0.003, 0.003, 0.020, 0.006, 0.080])


def light_screen(protocol: str = LIGHT_PROTOCOL) -> ScreenModel:
    """Return the control under red light: no effector is expressed, so the response is mild.

    A larva that sees the light come on hesitates: more stops and casts, shorter runs.
    """
    startle = Response(
        transitions=matrix(
            [
                [0.000, 0.640, 0.300, 0.006, 0.050, 0.004],
                [0.680, 0.000, 0.230, 0.006, 0.075, 0.009],
                [0.450, 0.440, 0.000, 0.007, 0.094, 0.009],
                [0.220, 0.390, 0.250, 0.000, 0.128, 0.012],
                [0.310, 0.470, 0.195, 0.012, 0.000, 0.013],
                [0.500, 0.320, 0.125, 0.018, 0.037, 0.000],
            ]
        ),
        dwell_factor=np.array([0.40, 1.10, 1.20, 1.00, 1.00, 1.00]),
        tau=3.0, floor=0.05, recovery=15.0, release=1.0,
    )  # fmt: skip
    sustained = Response(
        transitions=matrix(
            [
                [0.000, 0.680, 0.266, 0.004, 0.046, 0.004],
                [0.740, 0.000, 0.185, 0.004, 0.064, 0.007],
                [0.500, 0.405, 0.000, 0.004, 0.084, 0.007],
                [0.240, 0.375, 0.245, 0.000, 0.130, 0.010],
                [0.330, 0.455, 0.192, 0.010, 0.000, 0.013],
                [0.515, 0.312, 0.121, 0.016, 0.036, 0.000],
            ]
        ),
        dwell_factor=np.array([0.80, 1.05, 1.05, 1.00, 1.00, 1.00]),
        tau=15.0, floor=0.30, recovery=30.0, release=2.0,
    )  # fmt: skip
    return _model(
        "light", protocol, "UAS_CsChrimson_X_0028", "t15", 15.0, _DARK, startle, sustained
    )


def airpuff_screen(protocol: str = AIRPUFF_PROTOCOL) -> ScreenModel:
    """Return the control under air puffs.

    Fitted to the control of the real t5 screen (12,716 larvae): hunch in 0.10% of the frames of
    the 10 s before the puff; in its first 2 s run .551, cast .287, stop .039, hunch .070, back
    .053 and roll .0002 of the frames.
    """
    startle = Response(
        transitions=matrix(
            [
                [0.000, 0.541, 0.052, 0.326, 0.080, 0.0002],
                [0.528, 0.000, 0.085, 0.260, 0.126, 0.0003],
                [0.311, 0.307, 0.000, 0.282, 0.099, 0.0003],
                [0.193, 0.496, 0.105, 0.000, 0.205, 0.0010],
                [0.283, 0.559, 0.108, 0.049, 0.000, 0.0010],
                [0.487, 0.330, 0.100, 0.049, 0.034, 0.0000],
            ]
        ),
        dwell_factor=np.array([0.29, 0.90, 0.80, 1.10, 1.00, 1.00]),
        tau=2.5, floor=0.04, recovery=12.0, release=0.8,
    )  # fmt: skip
    sustained = Response(
        transitions=matrix(
            [
                [0.000, 0.780, 0.165, 0.010, 0.044, 0.0002],
                [0.690, 0.000, 0.210, 0.010, 0.088, 0.0003],
                [0.420, 0.480, 0.000, 0.012, 0.086, 0.0003],
                [0.220, 0.420, 0.220, 0.000, 0.135, 0.0010],
                [0.310, 0.490, 0.180, 0.015, 0.000, 0.0010],
                [0.510, 0.315, 0.120, 0.020, 0.035, 0.0000],
            ]
        ),
        dwell_factor=np.array([0.65, 1.25, 1.00, 1.00, 1.00, 1.00]),
        tau=12.0, floor=0.35, recovery=25.0, release=1.5,
    )  # fmt: skip
    return _model("airpuff", protocol, "UAS_TNT_2_0003", "t5", 23.0, _STILL_AIR, startle, sustained)


def _model(
    name: str, protocol: str, effector: str, tracker: str, tail: float,
    transitions: NDArray[np.float64], startle: Response, sustained: Response,
) -> ScreenModel:  # fmt: skip
    """Assemble a built-in model; a recording goes on for `tail` s after the last stimulus."""
    last = max((stop for _, stop in parse_protocol(protocol).intervals), default=60.0)
    return ScreenModel(
        name, protocol, effector, tracker, math.ceil(10 * (last + tail)) / 10, LARVA_STATES,
        transitions, _REST_DWELL, _SHAPE, startle, sustained, _LOSS,
    )  # fmt: skip


def screen_model(protocol: str | None = None) -> ScreenModel:
    """Return the built-in model that belongs to a protocol.

    Parameters
    ----------
    protocol : str, optional
        ``light`` (default), ``airpuff``, a beginning of one of their protocol strings, or any
        other protocol string whose first stimulus is red light (``r_...``) or air puff
        (``p_...``).

    Raises
    ------
    UsageError
        If it is none of these.
    """
    text = (protocol or "light").strip()
    builders = {"light": light_screen, "airpuff": airpuff_screen}
    if text in builders:
        return builders[text]()
    for model in (light_screen(), airpuff_screen()):
        if model.protocol.startswith(text):
            return model
    stimuli = sorted(parse_protocol(text).stimuli, key=lambda stimulus: stimulus.onset)
    kinds = {"r": light_screen, "p": airpuff_screen}
    if stimuli and stimuli[0].kind in kinds:
        return kinds[stimuli[0].kind](text)
    raise UsageError(
        f"Protocol {text!r} cannot be simulated; expected light ({LIGHT_PROTOCOL}), airpuff "
        f"({AIRPUFF_PROTOCOL}), or a protocol whose first stimulus is red light (r_...) or air "
        "puff (p_...) with times."
    )


def with_duration(model: ScreenModel, duration: float) -> ScreenModel:
    """Return the model with recordings of `duration` seconds, rounded to tenths."""
    if not (math.isfinite(duration) and duration >= 1):
        raise UsageError(f"duration must be at least 1 s, but is {duration!r}.")
    return dataclasses.replace(model, duration=round(float(duration), 1))
