"""Results by hand, with the numbers that a real light screen has."""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from larvastats.results import SCREEN_COLUMNS, TRANSITION_COLUMNS, ScreenResult, TransitionsResult
from larvastats.vocabulary import LARVA_STATES

EFFECTOR = "UAS_Chrimson_Venus_X_0070"
CONTROL = f"FCF_attP2_1500062@{EFFECTOR}"
PROTOCOL = "r_LED100_30s2x15s30s#n#n#n"
BEST = f"GMR_72F11_AE_01@{EFFECTOR}"


def line_name(k: int) -> str:
    name = f"{10 + (37 * k) % 89}{'ABCDEFGH'[k % 8]}{k:02d}" if k else "72F11"
    return f"GMR_{name}_AE_01"


def make_cells(genotype: str, states, effect: float = 1.0, window: str = "during", seed: int = 1):
    """Cells of one line: from run, it casts and stops more, as far as `effect` says."""
    rng = np.random.default_rng(seed)
    k = len(states)
    base = rng.gamma(0.7, size=(k, k)) + 0.02
    np.fill_diagonal(base, 0)
    line = base.copy()
    line[0, min(1, k - 1)] += 2.5 * effect * base[0].max()
    sums = [m.sum(axis=1, keepdims=True) for m in (base, line)]
    control_p, line_p = (
        np.divide(m, s, out=np.full_like(m, np.nan), where=s > 0)
        for m, s in zip((base, line), sums, strict=True)
    )
    totals = rng.integers(40, 1500, k)
    rows = []
    for i in range(k):
        for j in range(k):
            row = {"n_line": np.nan_to_num(np.round(line_p[i, j] * totals[i])),
                   "n_control": np.nan_to_num(np.round(2 * control_p[i, j] * totals[i])),
                   "p_line": line_p[i, j], "p_control": control_p[i, j],
                   "difference": line_p[i, j] - control_p[i, j],
                   "z": 30 * (line_p[i, j] - control_p[i, j]), "p_adjusted": np.nan}  # fmt: skip
            rows.append({"from": states[i], "to": states[j], **row})
    cells = pd.DataFrame(rows).assign(
        genotype=genotype, line=genotype.partition("@")[0], effector=EFFECTOR, control=CONTROL,
        protocol=PROTOCOL, window=window,
    )  # fmt: skip
    return cells[list(TRANSITION_COLUMNS)]


def make_table(n: int, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    effect = np.concatenate([[0.54], np.sort(rng.gamma(1.2, 0.07, n - 1))[::-1]])[:n]
    p = np.clip(10.0 ** -(0.3 + 16 * effect + rng.normal(0, 0.4, n)), 1e-5, 0.98)
    q = np.minimum.accumulate((np.sort(p) * n / np.arange(1, n + 1))[::-1])[::-1]
    table = pd.DataFrame({"line": [line_name(k) for k in range(n)], "p_value": p, "effect": effect})
    table = table.sort_values("p_value", kind="stable", ignore_index=True).assign(q_value=q)
    e = table.pop("effect")
    spread = 0.03 + 0.02 * rng.random(n)
    table = table.assign(
        effector=EFFECTOR, genotype=table["line"] + "@" + EFFECTOR, control=CONTROL,
        protocol=PROTOCOL, window="during", n_dates=3, n_assays=6, n_control_assays=12,
        n_larvae=rng.integers(110, 260, n), n_transitions=rng.integers(800, 4000, n),
        statistic_name="T", statistic=e * 40, null="F", p_exact=np.maximum(p, 1 / 10001),
        p_floor=1 / 10001, p_approx=p, rejected=q <= 0.05, hellinger=np.sqrt(e**2 + 0.1**2),
        hellinger_adjusted=e, hellinger_pseudo_95=0.09 + 0.02 * rng.random(n),
        hellinger_low=np.maximum(0, e - 2 * spread), hellinger_high=e + 2 * spread,
        hellinger_p_value=p, empty_rows="", top_transition="run → cast",
        top_difference=rng.normal(0, 0.2, n), note="",
    )  # fmt: skip
    for distance in ("js", "kl"):
        for part in ("", "_adjusted", "_low", "_high", "_p_value"):
            table[distance + part] = np.nan
    return table[list(SCREEN_COLUMNS)]


def make_screen(n: int = 12, states=LARVA_STATES, table=None, **design) -> ScreenResult:
    table = make_table(n) if table is None else table
    cells = [make_cells(g, states, 1.0 if g == BEST else 0.1, seed=k)
             for k, g in enumerate(table["genotype"].head(12))]  # fmt: skip
    known = {
        "protocol": PROTOCOL, "window": "during", "window_text": "during: 30–45, 60–75 s",
        "contrast": None, "transitions": "jump", "unit": "assay", "unit_text": "assay",
        "block": "date", "statistic": "welch", "statistic_text": "Welch, dates as blocks",
        "correction": "bh", "correction_text": "Benjamini-Hochberg q <=", "null": "F",
        "null_text": "F approximation", "n_resamples": 10000, "data_name": "simulated light screen",
    }  # fmt: skip
    return ScreenResult(table, pd.concat(cells, ignore_index=True), pd.DataFrame(), tuple(states),
                        0.05, known | design, seed=1)  # fmt: skip


def make_windows(windows=("before", "during", "after"), states=LARVA_STATES) -> TransitionsResult:
    parts = []
    for k, window in enumerate(windows):
        cells = make_cells(BEST, states, effect=float(k % 2), window=window)
        parts.append(
            cells[["genotype", "window", "from", "to"]].assign(
                n=cells["n_line"], p=cells["p_line"], n_assays=6, n_larvae=173
            )
        )
    text = {"before": "before 30 s, light off", "during": "during: 30–45, 60–75 s, light on"}
    design = {"protocol": PROTOCOL, "windows_text": text, "transitions": "jump", "dt": None,
              "data_name": "simulated light screen"}  # fmt: skip
    return TransitionsResult(pd.concat(parts, ignore_index=True), tuple(states), design)


def texts(figure) -> list[str]:
    """Everything that is written in a figure."""
    found = [t.get_text() for t in figure.texts]
    for axes in figure.axes:
        found += [t.get_text() for t in axes.texts]
        found += [axes.get_title(), axes.get_xlabel(), axes.get_ylabel()]
        found += [t.get_text() for t in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    for legend in figure.legends:
        found += [t.get_text() for t in legend.get_texts()]
    return [text for text in found if text]


@lru_cache(maxsize=1)  # two checks of one figure lay it out once
def visible(figure) -> list[tuple[str, Bbox]]:
    """Texts that are drawn, with their boxes in pixels."""
    figure.draw_without_rendering()
    found = {id(t): t for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible()}
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):  # ticks beyond the limits exist but are not drawn
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                    found.pop(id(tick.label1), None)
    # Of an annotation the words, not the line that leads to its point.
    return [(t.get_text(), Text.get_window_extent(t)) for t in found.values()]


def overlaps(figure) -> list[tuple[str, str]]:
    """Pairs of visible texts whose boxes overlap by more than a pixel both ways."""
    found = visible(figure)
    left, low, right, high = np.array([box.extents for _, box in found]).T
    across = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    up = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    pairs = np.argwhere(np.triu((across > 1) & (up > 1), 1))
    return [(found[i][0], found[j][0]) for i, j in pairs]


def outside(figure) -> list[str]:
    """Texts that leave the figure."""
    return [
        text
        for text, box in visible(figure)
        if min(box.x0, box.y0) < -1 or box.x1 > figure.bbox.x1 + 1 or box.y1 > figure.bbox.y1 + 1
    ]


@pytest.fixture
def pictures() -> SimpleNamespace:
    """The builders and readers of this file (importlib mode has no package to import from)."""
    return SimpleNamespace(
        screen=make_screen, table=make_table, cells=make_cells, windows=make_windows, texts=texts,
        overlaps=overlaps, outside=outside, best=BEST, control=CONTROL, line_name=line_name,
        effector=EFFECTOR, protocol=PROTOCOL,
    )  # fmt: skip
