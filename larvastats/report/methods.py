"""The methods paragraph of a screen, with its numbers and the works it stands on."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd

from larvastats.report import html, numbers

REFERENCES = {
    "alekseyenko": "Alekseyenko AV (2016). Multivariate Welch t-test on distances. "
    "<i>Bioinformatics</i> 32:3552–3558.",
    "benjamini1995": "Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate: a "
    "practical and powerful approach to multiple testing. <i>J R Stat Soc B</i> 57:289–300.",
    "benjamini2001": "Benjamini Y, Yekutieli D (2001). The control of the false discovery rate in "
    "multiple testing under dependency. <i>Ann Stat</i> 29:1165–1188.",
    "berne": "Berne A, Zhang T, Shomar J, Ferrer AJ, Valdes A, Ohyama T, Klein M (2023). "
    "Mechanical vibration patterns elicit behavioral transitions and habituation in crawling "
    "<i>Drosophila</i> larvae. <i>eLife</i> 12:e69205.",
    "box": "Box GEP (1954). Some theorems on quadratic forms applied in the study of analysis of "
    "variance problems, I. <i>Ann Math Stat</i> 25:290–302.",
    "cameron": "Cameron AC, Gelbach JB, Miller DL (2008). Bootstrap-based improvements for "
    "inference with clustered errors. <i>Rev Econ Stat</i> 90:414–427.",
    "chandler": "Chandler RE, Bate S (2007). Inference for clustered data using the independence "
    "loglikelihood. <i>Biometrika</i> 94:167–183.",
    "chung": "Chung EY, Romano JP (2013). Exact and asymptotically robust permutation tests. "
    "<i>Ann Stat</i> 41:484–507.",
    "freedman": "Freedman D, Lane D (1983). A nonstochastic interpretation of reported "
    "significance levels. <i>J Bus Econ Stat</i> 1:292–298.",
    "phipson": "Phipson B, Smyth GK (2010). Permutation p-values should never be zero. "
    "<i>Stat Appl Genet Mol Biol</i> 9:39.",
    "rao": "Rao JNK, Wu CFJ (1988). Resampling inference with complex survey data. "
    "<i>J Am Stat Assoc</i> 83:231–241.",
    "westfall": "Westfall PH, Young SS (1993). <i>Resampling-Based Multiple Testing</i>. Wiley.",
}

CITED = {
    "alekseyenko": "Alekseyenko 2016", "benjamini1995": "Benjamini &amp; Hochberg 1995",
    "benjamini2001": "Benjamini &amp; Yekutieli 2001", "berne": "Berne et al. 2023",
    "box": "Box 1954", "cameron": "Cameron et al. 2008", "chandler": "Chandler &amp; Bate 2007",
    "chung": "Chung &amp; Romano 2013", "freedman": "Freedman &amp; Lane 1983",
    "phipson": "Phipson &amp; Smyth 2010", "rao": "Rao &amp; Wu 1988",
    "westfall": "Westfall &amp; Young 1993",
}  # fmt: skip

CORRECTIONS = {
    "bh": ("for the false discovery rate over all lines", "benjamini1995", "q"),
    "by": ("for the false discovery rate under any dependence", "benjamini2001", "q"),
    "bonferroni": ("by Bonferroni's inequality", None, "adjusted p"),
    "maxt": ("for the family-wise error by step-down over the relabellings", "westfall",
             "adjusted p"),
    "none": ("", None, "p"),
}  # fmt: skip

COUNTED = {
    "jump": "Transitions between consecutive bouts of different actions were counted per assay",
    "frame": "Transitions from one step of {dt:g} s to the next were counted per assay",
    "ever": "Larvae that made a transition at least once were counted per assay",
    "ever-action": "Larvae that did an action at least once were counted per assay",
}


class Cited:
    """Citations in the order of the alphabet, and the list of those that were used."""

    def __init__(self) -> None:
        self.used: list[str] = []

    def __call__(self, *names: str) -> str:
        """Return ``(Box 1954; Rao & Wu 1988)`` and remember the works."""
        self.used += [name for name in names if name not in self.used]
        return f"({'; '.join(CITED[name] for name in names)})"

    def list(self) -> html.Html:
        """Return the works that were cited."""
        return html.items([REFERENCES[name] for name in sorted(self.used)], "references")


def screen_methods(
    table: pd.DataFrame, provenance: Mapping[str, Any], cells_tested: bool
) -> html.Html:
    """Write the paragraph of a screen, and its references.

    Parameters
    ----------
    table : DataFrame
        One row per line.
    provenance : mapping
    cells_tested : bool
        Whether single transitions were tested in the lines that were called different.
    """
    design, cite = provenance["design"], Cited()
    text = [
        _animals(table, design),
        _counting(design),
        _statistic(design, cite),
        _covariates(provenance, cite),
        _null(design, cite),
        _correction(design, provenance, cite),
    ]
    if cells_tested:
        text.append(
            "In those lines single transitions were tested by the largest |z| of all transitions "
            f"under the same relabellings {cite('westfall')}."
        )
    text += [_effects(table, design, cite), _calibration(provenance), software(provenance)]
    return html.paragraph(*text, kind="methods") + cite.list()


def _covariates(provenance: Mapping[str, Any], cite: Cited) -> str:
    """Say what was taken out of the profiles; only the command tells."""
    try:
        words = shlex.split(str(provenance.get("command") or ""))
    except ValueError:
        return ""
    if "--covariates" not in words[:-1]:
        return ""
    names = escape(words[words.index("--covariates") + 1].replace(",", ", "))
    return f"Of the profiles {names} was taken out by regression {cite('freedman')}."


def _animals(table: pd.DataFrame, design: Mapping[str, Any]) -> str:
    tested = table[table["p_value"].notna()]
    lines = tested if len(tested) else table
    controls = [str(c) for c in lines["control"].dropna().unique()]
    control = escape(controls[0]) if len(controls) == 1 else f"{len(controls)} control genotypes"
    stimulus = html.prose(design.get("stimuli") or "")
    under = f" under {stimulus}" if stimulus else ""
    assays = numbers.between(lines["n_assays"].min(), lines["n_assays"].max())
    dates = numbers.between(lines["n_dates"].min(), lines["n_dates"].max())
    controls_n = numbers.between(lines["n_control_assays"].min(), lines["n_control_assays"].max())
    dated = f" on {dates} dates" if design.get("block") == "date" else ""
    return (
        f"Recordings of {numbers.counted(len(lines), 'line')} and of {control} as control were "
        f"made{under}: {assays} assays per line{dated} and {controls_n} control assays for each, "
        f"with {numbers.whole(lines['n_larvae'].sum())} larvae of the lines in all."
    )


def _counting(design: Mapping[str, Any]) -> str:
    how = COUNTED.get(str(design.get("transitions")), COUNTED["jump"])
    where = escape(str(design.get("window_text") or design.get("window")))
    return (
        f"{how.format(dt=design.get('dt') or 0.1)} (window {where}); a gap in tracking is no "
        "transition."
    )


def _statistic(design: Mapping[str, Any], cite: Cited) -> str:
    name = escape(str(design.get("statistic_text")))
    source = f" {cite('alekseyenko')}" if design.get("statistic") == "welch" else ""
    dated = design.get("block") == "date"
    by_plate = design.get("variance") == "plate"
    replicate = (
        f", with {'plates within dates' if by_plate else 'line × date'} as replicates"
        if dated
        else f", with the {design.get('unit')} as replicate"
    )
    whose = "change" if design.get("contrast") else "behaviour"
    how = f"the {name}{source}{replicate}"
    return f"The {whose} of each line was compared with its control’s by {how}."


def _null(design: Mapping[str, Any], cite: Cited) -> str:
    if design.get("null") != "relabel":
        return (
            "P-values come from an F approximation to the null distribution of this statistic, "
            "its degrees of freedom taken from the covariance of replicates "
            f"{cite('box')}, since the number of relabellings bounds p-values from below."
        )
    return (
        f"P-values come from {escape(str(design.get('null_text')))} {cite('chung')}: all ways to "
        f"do so, or random ones where there are too many, up to "
        f"{numbers.whole(design.get('n_resamples'))}; the observed labelling counts among them "
        f"{cite('phipson')}."
    )


def _correction(design: Mapping[str, Any], provenance: Mapping[str, Any], cite: Cited) -> str:
    text, work, symbol = CORRECTIONS[str(design.get("correction"))]
    alpha = numbers.plain(provenance.get("alpha", 0.05))
    if not text:
        return f"Lines with p ≤ {alpha} were called different, without a correction for many tests."
    source = f" {cite(work)}" if work else ""
    return (
        f"They were adjusted {text}{source}; lines with {symbol} ≤ {alpha} were called different."
    )


def _effects(table: pd.DataFrame, design: Mapping[str, Any], cite: Cited) -> str:
    if not table["hellinger"].notna().any():
        return ""
    weights = design.get("row_weights")
    average = "uniformly" if weights == "uniform" else "by how often both left the state"
    text = (
        "The effect size is the Hellinger distance between the rows of the pooled transition "
        f"matrices of line and control, averaged {average} over states; its adjusted form is "
        "jackknifed over assays against the bias of small counts."
    )
    if table["hellinger_low"].notna().any():
        text += (
            " Intervals are 95% t intervals with bias and standard error from "
            f"{numbers.whole(design.get('bootstrap'))} bootstrap resamples of replicates "
            f"{cite('rao')}."
        )
    return text


def _calibration(provenance: Mapping[str, Any]) -> str:
    verdict = provenance.get("calibration")
    if not verdict:
        return ""
    return (
        "The error was checked on pseudo-lines drawn from the control’s own assays: "
        f"{html.prose(lower_first(str(verdict)))}"
    )


def software(provenance: Mapping[str, Any]) -> str:
    """Say which software made a result, and the seed."""
    libraries = provenance.get("libraries")
    names = libraries if isinstance(libraries, dict) else {}
    used = ", ".join(f"{escape(str(n))} {escape(str(v))}" for n, v in names.items())
    seed = provenance.get("seed")
    return (
        f"Computed with larvastats {escape(str(provenance.get('larvastats')))} under Python "
        f"{escape(str(provenance.get('python')))} ({used})"
        f"{'' if seed is None else f', seed {seed}'}."
    )


def lower_first(text: str) -> str:
    """Write a sentence so that it can follow a colon."""
    return text[:1].lower() + text[1:]
