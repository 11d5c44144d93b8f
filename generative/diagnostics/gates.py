"""What a model has to reach before its larvae count as larvae."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from generative.diagnostics.collapse import Collapse
from generative.diagnostics.fidelity import Fidelity
from generative.diagnostics.permuted import Permuted

Verdict = Literal["met", "missed", "not measured"]


@dataclass(frozen=True, slots=True)
class Gate:
    """One number and its limits.

    Attributes
    ----------
    name : str
    value : float
        Of the model; NaN where it was not measured.
    low, high : float
        It has to lie between them, limits included.
    floor : float
        The same number of real larvae of training assays; NaN where there is none.
    note : str
    """

    name: str
    value: float
    low: float
    high: float
    floor: float = float("nan")
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether it is reached."""
        if math.isnan(self.value):
            return "not measured"
        return "met" if self.low <= self.value <= self.high else "missed"

    @property
    def asked(self) -> str:
        """Limits as text."""
        if math.isinf(self.high):
            return f">= {self.low:.3g}"
        return f"<= {self.high:.3g}" if math.isinf(self.low) else f"{self.low:.3g}-{self.high:.3g}"


def gates_of(
    collapse: Collapse, fidelity: Fidelity, permuted: Permuted | None = None
) -> tuple[Gate, ...]:
    """Return all gates with their numbers."""
    return (*_collapse_gates(collapse), *_fidelity_gates(fidelity), *_effect_gates(fidelity),
            _false_positives(permuted))  # fmt: skip


def _collapse_gates(found: Collapse) -> list[Gate]:
    width = len(found.kl)
    # stated for 64 dimensions; a smaller latent has to use the same share
    share = min(1.0, width / 64)
    return [
        Gate("active units", found.active_units, math.ceil(30 * share), math.inf,
             note=f"of {width}"),
        Gate("dimensions above .05 nat", found.used_dimensions, math.ceil(20 * share), math.inf,
             note=f"{found.nats:.1f} nats in all"),
        Gate("free-running R²", found.r2, 0.98, math.inf,
             note=f"{found.r2_open:.3f} without conditions"),
        Gate("R² with another's latent", found.r2_shuffled, -math.inf, 0.1,
             note="0 or below: conditions alone say nothing"),
    ]  # fmt: skip


def _fidelity_gates(found: Fidelity) -> list[Gate]:
    pair = found.numbers
    accuracy, tstr = pair["behaviour_accuracy"], pair["tstr"]
    ratios = [
        Gate(f"{name} ratio", own.value, 0.9, 1.1, own.floor)
        for name in ("speed", "length", "path")
        for own in (pair[f"{name}_ratio"],)
    ]
    return [
        Gate("behaviour accuracy / real", _share(accuracy.value, accuracy.floor), 0.95, math.inf,
             1.0, f"{accuracy.value:.3f} against {accuracy.floor:.3f}"),
        Gate("coverage", pair["coverage"].value, 0.8, math.inf, pair["coverage"].floor),
        Gate("density", pair["density"].value, 0.8, 1.2, pair["density"].floor),
        _distance("FID / floor", found, "fid"),
        _distance("KID / floor", found, "kid"),
        *ratios,
        Gate("train on synthetic / real", _share(tstr.value, tstr.floor), 0.9, math.inf, 1.0,
             f"{tstr.value:.3f} against {tstr.floor:.3f}"),
        Gate("copying ratio", pair["copying"].value, 0.9, math.inf, 1.0),
    ]  # fmt: skip


def _distance(name: str, found: Fidelity, key: str) -> Gate:
    """Distance in units of the floor, or of the floor's own scatter where that is more."""
    pair = found.numbers[key]
    unit = max(pair.floor, pair.floor_sd, 1e-12)
    return Gate(name, pair.value / unit, -math.inf, 10.0, 1.0,
                f"{pair.value:.3g} against {pair.floor:.3g} ± {pair.floor_sd:.2g}")  # fmt: skip


def _effect_gates(found: Fidelity) -> list[Gate]:
    slope, rank = found.effects.agreement()
    floor_slope, floor_rank = found.effects.agreement(floor=True)
    n = len(found.effects.labels)
    return [
        Gate("genotype effects: slope", slope, 0.8, 1.2, floor_slope, f"{n} effects"),
        Gate("genotype effects: Spearman", rank, 0.9, math.inf, floor_rank, f"{n} effects"),
    ]  # fmt: skip


def _false_positives(found: Permuted | None) -> Gate:
    name, most = "false positives at .05", 0.07
    if found is None:
        return Gate(
            name,
            math.nan,
            -math.inf,
            most,
            note="needs models retrained on permuted genotypes: --permutations",
        )
    rate, error = found.called("rests_on_real")
    naive, _ = found.called("drawn")
    return Gate(name, rate, -math.inf, most, found.called("real")[0],
                f"± {error:.3f}, {len(found.p)} retrainings; {naive:.2f} if synthetic assays "
                "counted as filmed")  # fmt: skip


def _share(value: float, whole: float) -> float:
    return value / whole if whole > 0 else math.nan
