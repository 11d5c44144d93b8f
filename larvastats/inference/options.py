"""How a comparison is made: every choice in one checked place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from larvastats.errors import UsageError
from larvastats.inference.relabelling.plans import MEMORY
from larvastats.inference.significance.multiplicity import CORRECTIONS

STATISTICS = {
    "welch": "studentised distance of transition profiles",
    "hellinger": "studentised squared Hellinger distance",
    "js": "studentised squared Jensen-Shannon distance",
    "kl": "studentised Kullback-Leibler divergence",
    "g": "likelihood-ratio G of pooled counts (not studentised)",
    "occupancy": "studentised distance of time budgets",
    "dwell": "studentised distance of log dwell times",
    "combined": "transitions and dwell times together",
}
WITH_F = ("welch", "occupancy", "dwell")
"""Statistics that are one studentised distance of profiles: those have an F approximation."""

TRANSITIONS = ("jump", "frame", "ever", "ever-action")
EVER = ("ever", "ever-action")
"""Ways to count larvae instead of transitions: no rows of probabilities, no divergences."""

NULLS = ("auto", "relabel", "F")
VARIANCES = ("date", "plate")
NO_VIAL = "variance of plates within dates: assumes no vial effect"
"""What a result with ``variance='plate'`` says of itself."""
CORRECTION_TEXT = {
    "bh": "Benjamini-Hochberg q <=",
    "by": "Benjamini-Yekutieli q <=",
    "bonferroni": "Bonferroni-adjusted p <=",
    "maxt": "Westfall-Young-adjusted p <=",
    "none": "uncorrected p <=",
}


@dataclass(frozen=True, slots=True)
class Options:
    """How a line is tested; shared by `screen` and `compare`."""

    statistic: str = "welch"
    transitions: str = "jump"
    dt: float = 0.1
    null: str = "auto"
    resamples: int = 10_000
    correction: str = "bh"
    alpha: float = 0.05
    row_weights: str = "uniform"
    bootstrap: int = 1000
    seed: int = 0
    covariates: tuple[str, ...] = ()
    sesoi: float | None = None
    variance: str = "date"
    memory: int = MEMORY

    def __post_init__(self) -> None:
        """Refuse what makes no sense, in one sentence."""
        _one_of("statistic", self.statistic, tuple(STATISTICS))
        _one_of("transitions", self.transitions, TRANSITIONS)
        _one_of("null", self.null, NULLS)
        _one_of("correction", self.correction, CORRECTIONS)
        _one_of("variance", self.variance, VARIANCES)
        _one_of("row_weights", self.row_weights, ("uniform", "occupancy"))
        if not 0 < self.alpha < 1:
            raise UsageError(f"alpha must lie between 0 and 1, but is {self.alpha!r}.")
        if self.resamples < 99:
            raise UsageError(f"resamples must be at least 99, but is {self.resamples!r}.")
        if self.bootstrap < 0:
            raise UsageError(f"bootstrap must not be negative, but is {self.bootstrap!r}.")
        if self.memory < 1:
            raise UsageError(f"memory must be at least 1 MiB, but is {self.memory!r}.")
        if self.sesoi is not None and not 0 < self.sesoi < 1:
            raise UsageError(
                f"sesoi must be a Hellinger distance between 0 and 1, but is {self.sesoi!r}."
            )
        if self.covariates and self.statistic in ("hellinger", "js", "kl", "g"):
            raise UsageError(
                f"covariates are taken out of profiles, and {self.statistic!r} compares "
                "probabilities; use welch, occupancy, dwell or combined."
            )
        if self.seed < 0:
            raise UsageError(f"seed must be a whole number from 0 up, but is {self.seed!r}.")
        if self.null == "F" and self.correction == "maxt":
            raise UsageError(
                "the correction 'maxt' is made of each line's relabellings, and null='F' has none; "
                "use null='relabel', or correct F by bonferroni, bh or by."
            )
        if self.null == "F" and self.statistic not in WITH_F:
            raise UsageError(
                f"there is an F approximation for {', '.join(WITH_F)}, but not for "
                f"{self.statistic!r}; use null='relabel'."
            )
        if self.transitions in EVER and self.statistic in ("hellinger", "js", "kl", "g"):
            raise UsageError(
                f"the statistic {self.statistic!r} needs rows of probabilities, and "
                f"{self.transitions!r} counts larvae; use welch, or transitions='jump'."
            )


def statistic_text(options: Options) -> str:
    """Say what the statistic measures."""
    if options.statistic == "welch" and options.transitions in EVER:
        what = "make a transition" if options.transitions == "ever" else "do an action"
        return f"studentised distance of fractions of larvae that ever {what}"
    return STATISTICS[options.statistic]


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise UsageError(f"{name} must be one of {', '.join(allowed)}, but is {value!r}.")


def name_list(names: str | Sequence[str]) -> tuple[str, ...]:
    """Return names given as a sequence, or as a string with commas."""
    parts = names.split(",") if isinstance(names, str) else list(names)
    return tuple(part.strip() for part in parts if part.strip())
