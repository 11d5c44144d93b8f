"""300 real lines of an air-puff screen, described by what their larvae do: a ranking, no p-values.

For 300 driver lines (effector UAS_TNT_2_0003, an air puff at 45 s) the table says how many of the
frames in the first 2 s of the puff were spent in each of six actions, all larvae of a line
together. That is enough to say how far a line lies from the control FCF_attP2_1500062, and how.

It is not enough for a p-value. The table has no assays: nothing in it shows how much plates of one
genotype differ, and that spread is what a difference must be measured against. The script shows
what comes out when somebody takes frames for independent observations instead.

Run it on the table (reconstructed from the code of Blanc et al. 2025, PLOS Comput Biol
21(4):e1012990)::

    python analyses/03_t5_occupancy.py path/to/action_counts_2s.csv --out results/03_t5_occupancy

Occupancies are shares of frames, so durations count. The distances are plug-in values: a line of
20 larvae lies farther from the control than it truly is, by chance alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import chi2_contingency, false_discovery_control

from larvastats.divergence import hellinger_rows, jensen_shannon_rows
from larvastats.errors import DataError
from larvastats.plot import style
from larvastats.plot.labels import place_labels
from larvastats.plot.ranking import plot_ranking
from larvastats.plot.save import save_figure
from larvastats.printing import p_text

CONTROL = "FCF_attP2_1500062@UAS_TNT_2_0003"
OTHER_CONTROLS = ("pBDPGAL4U", "FCF_w1118_1500005")
"""Further lines in which the driver should do nothing."""

ACTIONS = ("run", "bend", "stop", "hunch", "back", "roll")
COLOURED_AS = {"bend": "cast"}
"""`bend` of this table is the field's cast, and wears its colour."""

FRAMES_PER_LARVA = 20
WHY_NO_P = (
    "No p-value is given: the table adds up all plates of a line, so nothing in it shows how much "
    "plates, dates and crosses of one genotype differ, and that is what a difference between "
    "genotypes must be measured against.\n"
    "Frames of a larva repeat each other and larvae of a plate share its conditions, so a test "
    "that counts them one by one calls almost any two sets of plates different."
)


def read_counts(path: Path) -> pd.DataFrame:
    """Read the table; its first lines are remarks, and `#` also occurs inside protocol names."""
    with path.open() as file:
        remarks = sum(line.startswith("#") for line in file)
    table = pd.read_csv(path, skiprows=remarks)
    wanted = {"line", "driver", "effector", "n_larvae_min", "n_frames_min", *ACTIONS}
    if missing := sorted(wanted - set(table.columns)):
        raise DataError(f"{path}: expected the columns of the t5 table, but lacks {missing}.")
    return table


def describe(table: pd.DataFrame) -> pd.DataFrame:
    """Rank all lines but the control by the Hellinger distance of their occupancies from it."""
    counts = table[list(ACTIONS)].to_numpy(np.float64)
    shares = counts / counts.sum(axis=1, keepdims=True)
    reference = shares[_control_row(table)]
    out = table[["line", "driver", "effector"]].assign(n_larvae=table["n_larvae_min"])
    out["hellinger"] = hellinger_rows(shares, reference)
    out["js"] = jensen_shannon_rows(shares, reference)
    out[list(ACTIONS)] = shares
    change = shares - reference
    top = np.abs(change).argmax(axis=1)
    out["top_action"] = np.array(ACTIONS)[top]
    out["top_difference"] = change[np.arange(len(top)), top]
    out = out[table["line"] != CONTROL].sort_values("hellinger", ascending=False)
    out.insert(0, "rank", np.arange(1, len(out) + 1))
    return out.reset_index(drop=True)


def chi_square(table: pd.DataFrame, frames_per_observation: int = 1) -> pd.DataFrame:
    """Test every line against the control as if frames (or larvae) were independent: they are not.

    Returns Pearson's statistic, its p-value and the Benjamini-Hochberg q of every line.
    """
    counts = table[list(ACTIONS)].to_numpy(np.float64) / frames_per_observation
    control = counts[_control_row(table)]
    rows = []
    for line, own in zip(table["line"], counts, strict=True):
        if line != CONTROL:
            pair = np.stack([own, control])
            test = chi2_contingency(pair[:, pair.sum(axis=0) > 0], correction=False)
            rows.append((line, test.statistic, test.dof, test.pvalue))
    out = pd.DataFrame(rows, columns=["line", "statistic", "df", "p_value"])
    return out.assign(q_value=false_discovery_control(out["p_value"]))


def _control_row(table: pd.DataFrame) -> int:
    found = np.flatnonzero(table["line"] == CONTROL)
    if len(found) != 1:
        raise DataError(f"expected one row of the control {CONTROL}, but found {len(found)}.")
    return int(found[0])


# -- pictures -----------------------------------------------------------------------------------


def plot_lines(ranking: pd.DataFrame) -> Figure:
    """Draw larvastats' own ranking; where nothing was tested it says so."""
    screen = SimpleNamespace(
        table=ranking[["line", "effector", "hellinger", "top_difference"]].assign(
            line=ranking["driver"], control=CONTROL, top_transition=ranking["top_action"]
        ),
        alpha=0.05,
        design={"statistic_text": "occupancy of six actions",
                "data_name": "t5, first 2 s of an air puff"},
    )  # fmt: skip
    return plot_ranking(screen, top=40)


@style.styled
def plot_occupancy(table: pd.DataFrame, ranking: pd.DataFrame, top: int = 16) -> Figure:
    """Draw what the controls and the farthest lines do, and distance against sample size."""
    figure = style.new_figure(10.6, 5.2)
    style.heading(
        figure,
        [f"What larvae of {len(table)} lines do in the first 2 s of an air puff"],
        ["Left: share of frames in each action, controls and the lines farthest from "
         f"{CONTROL.split('@')[0]}.",
         "Right: distance of every line from that control. No line is tested: the table has no "
         "assays."],
        0.3,
    )  # fmt: skip
    _draw_bars(style.axes_at(figure, 1.75, 1.0, 3.1, 3.5), table, ranking, top)
    _draw_distances(figure, style.axes_at(figure, 6.0, 1.0, 4.3, 3.5), ranking)
    return figure


def _draw_bars(axes: Axes, table: pd.DataFrame, ranking: pd.DataFrame, top: int) -> None:
    controls = [CONTROL.split("@")[0], *OTHER_CONTROLS]
    names = [*controls, *ranking["driver"].head(top)]
    counts = table.set_index("driver").loc[names, list(ACTIONS)].to_numpy(np.float64)
    shares = counts / counts.sum(axis=1, keepdims=True)
    y = np.arange(len(names)) + 0.6 * (np.arange(len(names)) >= len(controls))
    left = np.cumsum(shares, axis=1) - shares
    known = style.state_colours([COLOURED_AS.get(a, a) for a in ACTIONS])
    for k, action in enumerate(ACTIONS):
        colour = known[COLOURED_AS.get(action, action)]
        axes.barh(y, shares[:, k], left=left[:, k], height=0.82, color=colour, label=action)
    axes.set(xlim=(0, 1), ylim=(y[-1] + 0.6, -0.6), xlabel="share of frames")
    axes.set_yticks(y, names, size=7.5)
    axes.tick_params(axis="y", length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.5, -0.13), ncols=6, borderaxespad=0,
                handlelength=1, columnspacing=0.9, handletextpad=0.4)  # fmt: skip


def _draw_distances(figure: Figure, axes: Axes, ranking: pd.DataFrame) -> None:
    other = ranking["driver"].isin(OTHER_CONTROLS)
    for chosen, ink, size in ((~other, style.KEPT, 11), (other, style.REJECTED, 28)):
        own = ranking[chosen]
        axes.scatter(own["n_larvae"], own["hellinger"], s=size, color=ink, linewidths=0, alpha=0.8)
    level = ranking.set_index("driver").loc[OTHER_CONTROLS[0], "hellinger"]
    axes.axhline(level, color=style.REJECTED, linewidth=0.8, linestyle=(0, (3, 2)), zorder=0)
    axes.set(xscale="log", ylim=(0, None), xlabel="larvae", ylabel="Hellinger distance")
    axes.set_xticks([20, 100, 1000, 10_000], ["20", "100", "1,000", "10,000"])
    axes.set_xlim(12, 60_000)
    figure.canvas.draw()
    named = pd.concat([ranking[other], ranking.head(7)])
    points = ranking[["n_larvae", "hellinger"]].to_numpy(np.float64)
    labels = list(named[["n_larvae", "hellinger", "driver"]].itertuples(index=False, name=None))
    place_labels(axes, points, labels, 7.5)


# -- all together -------------------------------------------------------------------------------


def sentences(ranking: pd.DataFrame, frames: pd.DataFrame, larvae: pd.DataFrame) -> list[str]:
    """Say what the table shows, and why it gives no p-value."""
    best = ranking.iloc[0]
    other = ranking.set_index("driver").loc[OTHER_CONTROLS[0]]
    chance = frames.set_index("line").loc[other["line"], "p_value"]
    hits, as_larvae = ((one["q_value"] <= 0.05).mean() for one in (frames, larvae))
    return [
        f"Farthest from the control: {best['driver']}, Hellinger distance {best['hellinger']:.3f}, "
        f"{best['top_action']} {best['top_difference']:+.2f} ({best['n_larvae']} larvae).",
        f"Frame-level chi-square, Benjamini-Hochberg at .05: {100 * hits:.1f}% of {len(frames)} "
        f"lines are 'hits'; with one observation per larva it is still {100 * as_larvae:.0f}%.",
        f"The other empty driver, {OTHER_CONTROLS[0]}, is a 'hit' too (p "
        f"{p_text(chance)}): two controls lie {other['hellinger']:.3f} apart, and "
        f"{int((ranking['hellinger'] < other['hellinger']).sum())} lines lie nearer.",
        WHY_NO_P,
    ]


def run(path: Path, out: Path | None = None) -> dict[str, object]:
    """Do the whole analysis; write tables and pictures where `out` is given."""
    table = read_counts(path)
    ranking = describe(table)
    frames, larvae = chi_square(table), chi_square(table, FRAMES_PER_LARVA)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        ranking.to_csv(out / "ranking.csv", index=False)
        save_figure(plot_lines(ranking), out / "ranking")
        save_figure(plot_occupancy(table, ranking), out / "occupancy")
    return {"table": table, "ranking": ranking, "frames": frames, "larvae": larvae,
            "sentences": sentences(ranking, frames, larvae)}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("data", type=Path, help="the table action_counts_2s.csv")
    parser.add_argument("--out", type=Path, default=Path("results/03_t5_occupancy"))
    args = parser.parse_args(argv)
    found = run(args.data, args.out)
    print(f"{len(found['table'])} lines, {found['table']['n_larvae_min'].sum():,} larvae\n")
    shown = found["ranking"].head(20).drop(columns=["line", "effector"])
    with pd.option_context("display.width", 200):
        print(shown.round(3).to_string(index=False), "\n")
    print(*found["sentences"], f"Tables and pictures: {args.out}", sep="\n\n")


if __name__ == "__main__":
    main()
