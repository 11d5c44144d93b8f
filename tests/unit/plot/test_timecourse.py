"""Curves and densities: marks as the field draws them, one scale, nothing over another."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from larvastats.plot import style
from larvastats.plot.distribution import plot_densities
from larvastats.plot.save import save_figure
from larvastats.plot.timecourse import CONTROL_COLOUR, plot_overlay, plot_panels

PUFFS = [[45.0, 75.0], *[[105.0 + 10 * k, 107.0 + 10 * k] for k in range(10)]]


def curves(names=("C@E", "A@E"), intervals=PUFFS, band="simultaneous", **design):
    t = np.arange(0.25, 220, 0.5)
    parts = []
    for k, name in enumerate(names):
        mean = 0.7 - 0.02 * k - 0.3 * np.exp(-((t - 48) ** 2) / 20)
        parts.append(pd.DataFrame({
            "genotype": name, "t_start": t - 0.25, "t_stop": t + 0.25, "t": t, "mean": mean,
            "low": mean - 0.1, "high": mean + 0.1, "point_low": mean - 0.04,
            "point_high": mean + 0.04, "n_assays": 6 + k,
        }))  # fmt: skip
    differences = pd.concat([
        p.assign(control=names[0], differs=p["t"].between(45, 55))[
            ["genotype", "control", "t_start", "t_stop", "t", "differs"]]
        for p in parts[1:]
    ]) if len(names) > 1 else pd.DataFrame(columns=["genotype", "differs"])  # fmt: skip
    p = np.linspace(0.5, 0.01, max(len(names) - 1, 0))
    tests = pd.DataFrame({"genotype": names[1:], "control": names[0], "p_value": p})
    text = {
        "label": "p(run)", "stimuli": "air puff 8: 45–75 s", "intervals": intervals, "band": band,
        "level": 0.95, "alpha": 0.05, "align": "start", "edges": [0.0, 220.0], "baseline": None,
        "method": "maxt", "method_text": "max-T over all bins",
    } | design  # fmt: skip
    return SimpleNamespace(table=pd.concat(parts), differences=differences, tests=tests,
                           design=text)  # fmt: skip


def marks(axes):
    """Positions of the vertical lines by colour."""
    found = {}
    for line in axes.lines:
        x = line.get_xdata()
        if len(x) == 2 and x[0] == x[1]:
            found.setdefault(to_hex(line.get_color()).upper(), []).append(float(x[0]))
    return found


def test_green_marks_on_and_red_marks_off_in_every_panel():
    figure = plot_panels(curves())
    panels = [axes for axes in figure.axes if axes.lines]
    assert len(panels) == 2
    for axes in panels:
        found = marks(axes)
        assert found[style.STIMULUS_ON] == [a for a, _ in PUFFS]
        assert found[style.STIMULUS_OFF] == [b for _, b in PUFFS]
    assert panels[0].get_ylim() == panels[1].get_ylim()
    assert panels[0].get_xlim() == (0.0, 220.0)


def test_the_control_comes_first_in_its_own_colour():
    figure = plot_panels(curves())
    texts = [t.get_text() for axes in figure.axes for t in axes.texts]
    assert texts == ["C@E", "6 assays", "A@E", "7 assays"]
    curve = max(figure.axes[0].lines, key=lambda line: len(line.get_xdata()))
    assert to_hex(curve.get_color()).upper() == CONTROL_COLOUR
    assert figure.axes[0].get_ylabel() == "p(run)" and figure.axes[0].get_xlabel() == "time (s)"


def test_the_band_is_the_one_the_result_names():
    for band, half in (("simultaneous", 0.1), ("pointwise", 0.04)):
        axes = plot_panels(curves(band=band)).axes[0]
        vertices = axes.collections[0].get_paths()[0].vertices
        x, y = vertices.T
        width = y[np.isclose(x, 10.25)].max() - y[np.isclose(x, 10.25)].min()
        assert width == pytest.approx(2 * half)


def test_bars_lie_below_the_times_of_difference():
    figure = plot_overlay(curves())
    top, bars = figure.axes[:2]
    assert top.get_xlim() == bars.get_xlim()
    boxes = [c for c in bars.collections if len(c.get_paths()) > 1]
    x = np.concatenate([path.vertices[:, 0] for path in boxes[0].get_paths()])
    assert x.min() == 45.0 and x.max() == 55.0


def test_where_no_time_differs_it_is_said():
    result = curves()
    result.differences["differs"] = False
    texts = [t.get_text() for axes in plot_overlay(result).axes for t in axes.texts]
    assert "no time of difference found" in texts


def test_without_a_test_there_are_no_bars():
    result = curves(method=None)
    result.differences, result.tests = result.differences.iloc[:0], result.tests.iloc[:0]
    assert len(plot_overlay(result).axes) == 1


@pytest.mark.parametrize("draw", [plot_panels, plot_overlay])
def test_many_genotypes_are_cut_off_and_counted(draw):
    names = tuple(
        f"GMR_{k:02d}A01_with_a_rather_long_name@UAS_CsChrimson_X_0028" for k in range(20)
    )
    figure = draw(curves(names))
    said = " ".join(t.get_text() for t in figure.texts)
    shown = 12 if draw is plot_panels else 6
    assert f"{20 - shown} more genotypes in the table" in said
    if draw is plot_overlay:  # the clearest differences are the ones that are shown
        labels = [t.get_text() for legend in figure.legends for t in legend.get_texts()]
        assert any(label.startswith("GMR_19A01") for label in labels)


@pytest.mark.parametrize("draw", [plot_panels, plot_overlay])
@pytest.mark.parametrize("names", [("C",), ("C", "A"), ("C", "A", "B", "D")])
def test_texts_do_not_overlap_and_lie_inside(draw, names):
    figure = draw(curves(names))
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    texts = [t for t in figure.texts if t.get_text()]
    texts += [t for axes in figure.axes for t in (*axes.texts, axes.xaxis.label, axes.yaxis.label)]
    texts += [t for legend in figure.legends for t in legend.get_texts()]
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in texts if t.get_text()]
    whole = figure.bbox
    for k, (one, a) in enumerate(boxes):
        assert whole.x0 <= a.x0 and a.x1 <= whole.x1 and whole.y0 <= a.y0 and a.y1 <= whole.y1, one
        for other, b in boxes[k + 1 :]:
            assert not a.overlaps(b), (one, other)


def test_nothing_of_the_stimulus_is_drawn_without_one():
    figure = plot_panels(curves(intervals=[]))
    assert marks(figure.axes[0]) == {}
    assert any("no stimulus" in t.get_text() for t in figure.texts)


def test_the_same_result_gives_the_same_bytes(tmp_path):
    files = [save_figure(plot_overlay(curves()), tmp_path / name) for name in ("one", "two")]
    for one, two in zip(*files, strict=True):
        assert one.read_bytes() == two.read_bytes()


def densities(names=("C@E", "A@E")):
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, 41)
    parts, units = [], []
    for name in names:
        for condition, width in (("off", 0.2), ("on", 0.4)):
            density = np.exp(-((x[:-1] / width) ** 2) / 2) / width / 2.5
            parts.append(pd.DataFrame({
                "genotype": name, "condition": condition, "x_low": x[:-1], "x_high": x[1:],
                "density": density, "low": 0.9 * density, "high": 1.1 * density, "n_assays": 5,
            }))  # fmt: skip
            units.append(pd.DataFrame({
                "assay": [f"{name}{k}" for k in range(5)], "genotype": name,
                "condition": condition, "mean": rng.normal(0, 0.1, 5),
                "sd": width * np.exp(rng.normal(0, 0.1, 5)),
            }))  # fmt: skip
    rows = [(m, names[1], c, "on − off", 0.004) for m in ("mean", "spread")
            for c in ("A@E: on against off", "A@E against C@E")]  # fmt: skip
    tests = pd.DataFrame(
        rows, columns=["measure", "genotype", "comparison", "condition", "p_value"]
    )
    design = {"label": "head angle (rad)", "time_text": "off: before 45 s; on: 45–75 s",
              "conditions": ["off", "on"], "unit": "rad", "spread": "sd",
              "level": 0.95}  # fmt: skip
    return SimpleNamespace(table=pd.concat(parts), units=pd.concat(units), tests=tests,
                           design=design)  # fmt: skip


def test_densities_stand_beside_the_assays_they_come_from():
    figure = plot_densities(densities())
    assert len(figure.axes) == 6  # per genotype: densities, means, spreads
    assert figure.axes[0].get_ylim() == figure.axes[3].get_ylim()
    assert figure.axes[2].get_ylim() == figure.axes[5].get_ylim()
    said = figure.axes[5].texts[0].get_text()
    assert "change p 0.0040" in said and "v. control's p 0.0040" in said
    assert figure.axes[3].get_xlabel() == "head angle (rad)"
    lines = [line for line in figure.axes[2].lines if len(line.get_xdata()) == 2]
    assert len(lines) == 5 + 2  # five assays, two means
