"""The plan of a simulated screen: which plates of which lines are filmed on which dates.

Every plate has its own random generator, keyed by the seed and by its line, date and number, so
that adding lines, plates or dates leaves every other plate as it was.
"""

from __future__ import annotations

import datetime
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from larvastats.errors import UsageError
from larvastats.io.paths import AssayIdentity, make_identity
from larvastats.simulate.effects import Effect
from larvastats.simulate.states import ScreenModel

CONTROL_LINE = "FCF_attP2_1500062"
STRONG_LINE = "GMR_72F11_AE_01"
MAX_LINES = 8000

_FIRST_DATE = datetime.date(2015, 7, 1)
_DAYS_APART = 7
# A day of filming: one plate every 150 s from 09:00 to 19:00; where a day must hold more, further
# rounds start one second later each (other rigs), lines from the bottom, controls from the top.
_OPENING, _SLOT, _SLOTS_PER_DAY = 9 * 3600, 150, 240

Count = int | tuple[int, int]
"""A number, or the two ends of a range of numbers that are equally likely."""


@dataclass(frozen=True, slots=True)
class RandomEffects:
    """Standard deviations of what differs by chance.

    Each date, vial (line and date together), plate and larva draws a Gaussian deviate for the
    log-odds of every transition and, times `dwell`, for the log of every mean dwell time. The
    deviates are centred such that the factors they become have mean 1.

    Attributes
    ----------
    date : float
        Shared by all lines and the control on a date.
    vial : float
        Shared by the plates of a line on a date; the control's vials differ just as the lines'.
    plate, larva : float
    dwell : float
        Share of the above that acts on log dwell times.
    """

    date: float = 0.2
    vial: float = 0.1
    plate: float = 0.25
    larva: float = 0.3
    dwell: float = 0.5

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("date", "vial", "plate", "larva", "dwell"):
            value = getattr(self, name)
            if not 0 <= value <= 3:
                raise UsageError(
                    f"The standard deviation {name} must lie between 0 and 3 (log-odds), but is "
                    f"{value!r}."
                )


@dataclass(frozen=True, slots=True)
class Tracking:
    """How larvae get lost and found; the rates of loss per state belong to the model.

    Attributes
    ----------
    loss : float
        Factor on every rate of loss; 0 with `late` 0 tracks every larva throughout.
    found : float
        Probability that a lost larva is found again.
    same_number : float
        Probability that a larva found again keeps its number; else it counts as a new one.
    shortest_gap, mean_extra_gap : float
        A gap lasts `shortest_gap` plus an exponential time of mean `mean_extra_gap`, in s.
    late : float
        Probability that a larva is first seen late, evenly over the first half of the recording.
    """

    loss: float = 1.0
    found: float = 0.6
    same_number: float = 0.5
    shortest_gap: float = 1.0
    mean_extra_gap: float = 5.0
    late: float = 0.08

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("found", "same_number", "late"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"Tracking: {name} must be a probability, but is "
                                 f"{getattr(self, name)!r}.")  # fmt: skip
        for name in ("loss", "shortest_gap", "mean_extra_gap"):
            if getattr(self, name) < 0:
                raise UsageError(f"Tracking: {name} must not be negative, but is "
                                 f"{getattr(self, name)!r}.")  # fmt: skip


ALWAYS_TRACKED = Tracking(loss=0.0, late=0.0)
"""No larva is ever lost."""


@dataclass(frozen=True, slots=True)
class ScreenDesign:
    """A screen to simulate.

    Attributes
    ----------
    model : ScreenModel
        Behaviour of the control.
    lines : tuple of str
        Lines beside the control.
    dates : int
        Number of dates, a week apart; the control is filmed on all of them.
    assays_per_line : int
        Plates of each line, spread evenly over its dates.
    dates_per_line : int, optional
        Dates of each line (all by default); successive lines start on successive dates.
    control_assays_per_date : int
    larvae : int or (int, int)
        Larvae on a plate, or the range from which each plate draws.
    larvae_of : mapping of str to the same
        For single lines (or the control) instead of `larvae`.
    effects : tuple of Effect
        Lines without any are null: given the date they are exchangeable with the control.
    spread : RandomEffects
    tracking : Tracking
    control : str
        The control line.

    Raises
    ------
    UsageError
        A design that cannot be.
    """

    model: ScreenModel
    lines: tuple[str, ...]
    dates: int = 3
    assays_per_line: int = 6
    dates_per_line: int | None = None
    control_assays_per_date: int = 4
    larvae: Count = (25, 35)
    larvae_of: Mapping[str, Count] = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()
    spread: RandomEffects = field(default_factory=RandomEffects)
    tracking: Tracking = field(default_factory=Tracking)
    control: str = CONTROL_LINE

    def __post_init__(self) -> None:
        """Check the numbers and the names."""
        for name in ("dates", "assays_per_line", "control_assays_per_date"):
            _at_least_one(name, getattr(self, name))
        if self.dates_per_line is not None:
            _at_least_one("dates_per_line", self.dates_per_line)
        _check_count("larvae", self.larvae)
        for line, count in self.larvae_of.items():
            _check_count(f"larvae_of[{line!r}]", count)
        _check_names(self.lines, self.control)

    def larvae_range(self, line: str) -> tuple[int, int]:
        """Return the smallest and largest number of larvae on a plate of a line."""
        count = self.larvae_of.get(line, self.larvae)
        return count if isinstance(count, tuple) else (count, count)


@dataclass(frozen=True, slots=True)
class Plate:
    """One planned assay: who it is, and its number among the plates of its line on its date."""

    identity: AssayIdentity
    number: int

    @property
    def line(self) -> str:
        """The line on the plate."""
        return self.identity.line

    @property
    def date(self) -> str:
        """YYYYMMDD."""
        return str(self.identity.date)


def _at_least_one(name: str, value: object) -> None:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise UsageError(f"{name} must be a whole number of at least 1, but is {value!r}.")


def _check_count(name: str, count: Count) -> None:
    if not isinstance(count, tuple):
        _at_least_one(name, count)
        return
    if len(count) != 2:
        raise UsageError(f"{name} must be a number or a range of two, but is {count!r}.")
    for end in count:
        _at_least_one(name, end)
    if count[0] > count[1]:
        raise UsageError(f"{name} must be a range from low to high, but is {count!r}.")


def _check_names(lines: Sequence[str], control: str) -> None:
    for name in (*lines, control):
        if not name or any(sign in name for sign in "@/#\\") or name != name.strip():
            raise UsageError(
                f"Line {name!r} cannot name a folder <line>@<effector>; use a name without "
                "@ / # \\ and outer blanks."
            )
    counts = Counter((*lines, control))
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise UsageError(
            f"Line {twice[0]!r} occurs twice among the lines and the control {control!r}; every "
            "line needs its own name."
        )


def line_names(n: int, strong_first: bool = True) -> tuple[str, ...]:
    """Return n names of the field's form, ``GMR_<2 digits><letter><2 digits>_AE_01``.

    The names are always the same, so that a file of effects can name them: the first n of more
    are the n of fewer. With `strong_first` the first is GMR_72F11.
    """
    _at_least_one("lines", n)
    if n > MAX_LINES:
        raise UsageError(f"lines must be at most {MAX_LINES}, but is {n}; name the lines instead.")
    # Plates of the collection: 10-95, rows A-H, columns 01-12; in an order that is fixed.
    order = generator(0, "names").permutation(86 * 8 * 12)
    names = (
        f"GMR_{10 + k // 96:02d}{'ABCDEFGH'[k // 12 % 8]}{k % 12 + 1:02d}_AE_01" for k in order
    )
    others = [name for name in names if name != STRONG_LINE]
    return tuple(([STRONG_LINE] if strong_first else []) + others)[:n]


def generator(seed: int, *key: object) -> np.random.Generator:
    """Return the random generator that belongs to a seed and a key (a line, a date, ...)."""
    digest = hashlib.blake2b("|".join(map(str, key)).encode(), digest_size=16).digest()
    spawn = tuple(np.frombuffer(digest, dtype="<u4").tolist())
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=spawn)))


def plan(design: ScreenDesign) -> list[Plate]:
    """List the plates of a screen, sorted by assay id.

    Raises
    ------
    UsageError
        More plates on a date than a day can hold.
    """
    days = [_FIRST_DATE + datetime.timedelta(_DAYS_APART * d) for d in range(design.dates)]
    per_line = min(design.dates, design.dates_per_line or design.dates, design.assays_per_line)
    most = -(-design.assays_per_line // per_line)
    rounds = len(design.lines) * most // _SLOTS_PER_DAY + 1
    rounds += design.control_assays_per_date // _SLOTS_PER_DAY + 1
    if rounds > _SLOT:
        raise UsageError(
            f"A day holds about {_SLOT * _SLOTS_PER_DAY} plates, but {len(design.lines)} lines of "
            f"{most} plates a date and {design.control_assays_per_date} controls were asked for; "
            "spread them over more dates."
        )
    plates = []
    for k, line in enumerate(design.lines):
        for a in range(design.assays_per_line):
            number, date = a // per_line, (k + a % per_line) % design.dates
            second = _second_of_day(k * most + number)
            plates.append(_plate(design, line, days[date], number, second))
    for day in days:
        for number in range(design.control_assays_per_date):
            # 97 is coprime to the slots: successive controls lie far apart in the day.
            slot = number * 97 % _SLOTS_PER_DAY + number // _SLOTS_PER_DAY * _SLOTS_PER_DAY
            second = _second_of_day(slot, last_round_first=True)
            plates.append(_plate(design, design.control, day, number, second))
    return sorted(plates, key=lambda plate: plate.identity.assay)


def _second_of_day(slot: int, last_round_first: bool = False) -> int:
    full, within = divmod(slot, _SLOTS_PER_DAY)
    offset = _SLOT - 1 - full if last_round_first else full
    return _OPENING + within * _SLOT + offset


def _plate(design: ScreenDesign, line: str, day: datetime.date, number: int, second: int) -> Plate:
    minutes, seconds = divmod(second, 60)
    stamp = f"{day:%Y%m%d}_{minutes // 60:02d}{minutes % 60:02d}{seconds:02d}"
    model = design.model
    identity = make_identity(model.tracker, line, model.effector, model.protocol, stamp)
    return Plate(identity, number)
