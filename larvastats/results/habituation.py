"""How a response wanes and comes back, genotype by genotype."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from larvastats.errors import UsageError
from larvastats.printing import (
    MAX_ROWS,
    counted,
    line_notes,
    more_lines,
    significant,
    table_text,
    told_once,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HABITUATION_COLUMNS = (
    "genotype", "line", "effector", "control", "protocol", "kind", "response", "unit",
    "n_dates", "n_assays", "n_control_assays", "n_larvae",
    "baseline", "initial", "final", "levels", "recovered_fraction", "return_time", "returned",
    "area", "area_low", "area_high",
    "decline", "gate_p", "gate_null", "direction",
    "tau", "tau_low", "tau_high", "censored", "tau_text", "dispersion",
    "tau_res", "tau_res_low", "tau_res_high", "tau_res_p_value",
    "deviance", "tau_common", "p_value", "null", "p_wild", "p_floor", "p_approx",
    "q_value", "rejected", "decline_p_value", "decline_q_value", "note",
)  # fmt: skip
"""Columns of a habituation table, in order; scripts depend on them."""

PRINTED = (
    "genotype", "n_assays", "baseline", "initial", "final", "recovered_fraction", "gate_p",
    "tau_text", "p_value", "q_value", "rejected", "decline_p_value", "tau_res_p_value", "returned",
)  # fmt: skip
HEADS = {
    "tau_text": "tau",
    "recovered_fraction": "recovered",
    "gate_p": "gate p",
    "n_assays": "assays",
}
TITLES = {
    "recovery": "Recovery of {response} during a long stimulus",
    "pulses": "Decline of {response} over repeated pulses",
    "berne": "Desensitisation and resensitisation of {response}",
}


@dataclass(frozen=True, slots=True)
class HabituationResult:
    """How a response wanes and comes back, genotype by genotype.

    Attributes
    ----------
    table : DataFrame
        :data:`HABITUATION_COLUMNS`, one row per genotype; those that differ most surely from their
        control first, controls last. `tau` is missing where the gate was not passed and where it
        lies outside what the stimulus can tell (`censored`: ``above`` its length, ``below`` a bin);
        `levels` says whether `initial` and `final` are those of the fit or the means of the first
        and last tenth of the stimulus.
    curves : DataFrame
        One row per genotype and bin: ``genotype pulse t_start t_stop x mean low high weight
        fitted``: mean over assays with its 95% t limits, and the fit.
    units : DataFrame
        One row per assay: ``assay genotype date n_larvae baseline initial final area decline
        used``.
    pulses : DataFrame
        One row per genotype and pulse under ``berne``: ``genotype pulse level ratio ratio_low
        ratio_high tau_res tau_res_low tau_res_high``; else empty.
    alpha : float
    design : mapping
        ``data_name protocol stimuli kind response stimulus_text unit gate interval null correction
        n_resamples`` and their texts.
    seed : int
    provenance : mapping
    notes : tuple of str
        Warnings about the whole; printed.
    """

    table: pd.DataFrame
    curves: pd.DataFrame
    units: pd.DataFrame
    pulses: pd.DataFrame
    alpha: float
    design: Mapping[str, Any]
    seed: int
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def tidy(self) -> pd.DataFrame:
        """Return one row per genotype."""
        return self.table.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row about all of them."""
        table = self.table
        row = {
            "n_genotypes": len(table),
            "n_habituating": int((table["tau"].notna() | (table["censored"] != "")).sum()),
            "n_tested": int(table["p_value"].notna().sum()),
            "n_rejected": int(table["rejected"].fillna(False).sum()),
            "alpha": self.alpha,
            "correction": self.design["correction"],
            "kind": self.design["kind"],
            "response": self.design["response"],
            "null": self.design["null"],
            "n_resamples": self.design["n_resamples"],
            "seed": self.seed,
        }
        return pd.DataFrame([row])

    def augment(self) -> pd.DataFrame:
        """Return one row per assay."""
        return self.units.copy()

    def plot(self, kind: str = "curves", genotype: str | None = None) -> Figure:
        """Draw the result.

        Parameters
        ----------
        kind : {'curves', 'tau'}
            Curves with bands, fits and time constants, a panel per genotype; or all time constants
            with their intervals.
        genotype : str, optional
            One genotype instead of the first twelve, under ``curves``.
        """
        if kind == "curves":
            from larvastats.plot.habituation import plot_curves

            return plot_curves(self, genotype=genotype)
        if kind == "tau":
            from larvastats.plot.habituation import plot_tau

            return plot_tau(self)
        raise UsageError(f"kind must be curves or tau, but is {kind!r}.")

    def __repr__(self) -> str:
        """Print title, design, genotypes and notes."""
        return habituation_text(self)


def habituation_text(
    result: HabituationResult, rows: int = MAX_ROWS, where: str = "see tidy()"
) -> str:
    """Print a result as R prints a test: title, design, its first rows, notes, verdict."""
    d = result.design
    title = TITLES[d["kind"]].format(response=d["label"])
    pairs = {
        "data": d["data_name"],
        **({"stimulus": d["stimuli"]} if d["stimuli"] else {}),
        "looked at": d["stimulus_text"],
        **(
            {"response": f"mean of {d['label']} over frames, {unit}"}
            if (unit := d.get("response_unit"))
            else {}
        ),
        "baseline": d["baseline_text"],
        "unit": d["unit_text"],
        "tau": f"95% {d['interval_text']}, given where the gate has p <= {d['gate']:g}",
        "null": d["null_text"],
    }
    body = table_text(printed_columns(result.table.iloc[:rows]))
    more = more_lines(len(result.table), rows, where)
    notes = [f"note: {note}" for note in [*line_notes(result.table), *told_once(result.notes)]]
    head = ["", f"\t{title}", "", *(f"{name + ':':<11}{text}" for name, text in pairs.items()), ""]
    pulses = ["", "By pulse:", table_text(result.pulses)] if 0 < len(result.pulses) <= 60 else []
    return "\n".join([*head, body, *more, *pulses, "", *notes, *verdict(result), ""])


def printed_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Choose what is printed of a table: columns with any content, short names."""
    shown = table[list(PRINTED)].copy()
    if table["effector"].nunique(dropna=False) == 1:
        shown["genotype"] = table["line"]
    shown["gate_p"] = ["" if pd.isna(p) else significant(p, 2) for p in shown["gate_p"]]
    filled = [c for c in PRINTED if (shown[c].notna() & (shown[c].astype("str") != "")).any()]
    return shown[filled].rename(columns=HEADS)


def verdict(result: HabituationResult) -> list[str]:
    """Say how many genotypes habituate, and how many differ from their control."""
    one = result.glance().iloc[0]
    n = int(one["n_habituating"])
    of = counted(int(one["n_genotypes"]), "genotype")
    verb = "habituates" if n == 1 or len(result.table) == 1 else "habituate"
    out = [f"{n or 'None'} of {of} {verb}, by the gate."]
    tested, found = int(one["n_tested"]), int(one["n_rejected"])
    if tested:
        table = result.table
        names = list(table.loc[table["rejected"].fillna(False).astype(bool), "genotype"])
        some = ", ".join(names[:6]) + (f" and {found - 6} more" if found > 6 else "")
        out.append(
            f"{found or 'None'} of {counted(tested, 'time constant')} can be said to differ from "
            f"{'its' if tested == 1 else 'their'} control's, at "
            f"{result.design['correction_text']} {result.alpha:g}{': ' if names else ''}{some}."
        )
    return out
