"""Three strains of mice in their home cages, and why a mouse's days are not mice.

Four mice of each of three strains were watched around the clock for up to twelve days. Sensors
noted when a mouse was active, when it touched the feeder and when it drank. This script turns the
intervals into states, compares every strain with every other, and then shows what happens to the
p-values when somebody takes the days of one mouse for independent animals.

Run it on the folder that holds the data (`intervals_3strains_AS_F_IS_W.npz` and
`all_features_mousedays_11bins.npy` of the project mousestyles, BSD-2)::

    python analyses/01_mouse_strains.py path/to/mousestyles --out results/01_mouse_strains

States. At every moment a mouse is in exactly one of four: `feeding` and `drinking` are the sensor
contacts, `active` is the rest of its active time, `inactive` the time between. The inner interval
wins: all contacts lie inside active time, and the 39 sips that one mouse took within a single
feeder contact of 327 s are drinking. Times are seconds since midnight of the day.

Unit. A mouse is an assay and its days are its successive tracks, as larvae are the tracks of a
plate: no transition joins two days, and shuffling labels moves whole mice.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

import larvastats as ls
from larvastats.markov.counts import count_transitions
from larvastats.markov.transitions import probabilities
from larvastats.plot import style
from larvastats.plot.raster import plot_raster
from larvastats.plot.save import save_figure
from larvastats.protocol import Window

Intervals = NDArray[np.float64]

KINDS = ("AS", "F", "W", "IS")  # active, feeder, water spout, inactive
STATES = ("active", "feeding", "drinking", "inactive")
PAIRS = (("strain 0", "strain 1"), ("strain 0", "strain 2"), ("strain 1", "strain 2"))
VIEWS: Mapping[str, Mapping[str, object]] = {
    "jump": {"transitions": "jump"},
    "frame, 1 s": {"transitions": "frame", "dt": 1.0},
}
WHOLE = Window("whole", ((-np.inf, np.inf),))
JOIN = 4.0
"""Contacts at most this many seconds apart are one meal: what mousestyles itself takes."""

DRAWS = 9_999
"""Relabellings where there are too many to enumerate: 48 days against 47."""

FIRST_BIN, BIN = 54_000.0, 7_200.0
"""The features' two-hour bins start at 15:00."""


# -- from intervals to states -------------------------------------------------------------------


def read_intervals(folder: Path) -> dict[tuple[int, int, int], dict[str, Intervals]]:
    """Read the intervals of every mouse-day: ``{(strain, mouse, day): {'AS': …, 'IS': …}}``."""
    path = folder / "intervals_3strains_AS_F_IS_W.npz"
    with np.load(path) as file:
        keys = {kind: file[f"{kind}_key"].astype(int) @ (10_000, 100, 1) for kind in KINDS}
        times = {kind: file[kind] for kind in KINDS}
    return {
        (code // 10_000, code // 100 % 100, code % 100): {
            kind: times[kind][keys[kind] == code] for kind in KINDS
        }
        for code in np.unique(keys["AS"]).tolist()
    }


def join_contacts(contacts: Intervals, gap: float) -> Intervals:
    """Join contacts that are at most `gap` seconds apart; shape (contact, 2)."""
    new = np.append(True, contacts[1:, 0] - contacts[:-1, 1] > gap)
    last = np.append(new[1:], True)
    return np.column_stack([contacts[new, 0], contacts[last, 1]])


def day_states(day: Mapping[str, Intervals], gap: float = 0.0) -> tuple[NDArray, NDArray, NDArray]:
    """Resolve the nested intervals of one day: start, stop and state of each piece of time."""
    layers = [day["AS"], *(join_contacts(day[kind], gap) for kind in ("F", "W")), day["IS"]]
    edges = np.unique(np.concatenate([layer.ravel() for layer in layers]))
    middle = (edges[1:] + edges[:-1]) / 2
    active, feeding, drinking, inactive = (_covered(layer, middle) for layer in layers)
    choices = [active & drinking, active & feeding, active, inactive]
    codes = np.select(choices, [2, 1, 0, 3], default=-1)
    tracked = codes >= 0
    return edges[:-1][tracked], edges[1:][tracked], codes[tracked]


def _covered(layer: Intervals, t: NDArray[np.float64]) -> NDArray[np.bool_]:
    before = np.searchsorted(layer[:, 0], t) - 1
    return (before >= 0) & (t < layer[np.maximum(before, 0), 1])


def bout_table(folder: Path, gap: float = 0.0) -> pd.DataFrame:
    """One row per bout: the mouse is the assay, its day the track (`larva`)."""
    parts = [(key, *day_states(day, gap)) for key, day in read_intervals(folder).items()]
    lengths = [len(codes) for *_, codes in parts]

    def labels(names: Sequence[str]) -> pd.Categorical:
        codes, levels = pd.factorize(np.array(names), sort=True)
        return pd.Categorical.from_codes(np.repeat(codes, lengths), levels)

    starts, stops, codes = (np.concatenate([part[k] for part in parts]) for k in (1, 2, 3))
    return pd.DataFrame(
        {
            "assay": labels([f"strain {s} mouse {m}" for (s, m, _), *_ in parts]),
            "line": labels([f"strain {s}" for (s, _, _), *_ in parts]),
            "larva": labels([f"day {d:02}" for (_, _, d), *_ in parts]),
            "state": pd.Categorical.from_codes(codes, STATES),
            "t_start": starts,
            "t_stop": stops,
        }
    )


def ethogram(bouts: pd.DataFrame) -> ls.Ethogram:
    return ls.Ethogram.from_bouts(bouts, states=STATES, source="mousestyles")


# -- is it right? -------------------------------------------------------------------------------


def active_shares(mice: ls.Ethogram) -> pd.DataFrame:
    """Share of each two-hour bin that every mouse-day spent active, feeding or drinking."""
    shares = {}
    for k in range(11):
        low = FIRST_BIN + k * BIN
        part = mice.clip([(low, low + BIN)])
        part = part.to_bouts()
        seconds = (part["t_stop"] - part["t_start"]).where(part["state"] != "inactive", 0.0)
        shares[k] = seconds.groupby([part["assay"], part["larva"]]).sum() / BIN
    return pd.DataFrame(shares).fillna(0.0)


def against_features(mice: ls.Ethogram, folder: Path) -> pd.DataFrame:
    """Find every mouse-day in the published features by its active shares.

    Returns one row per mouse-day: the day it is there, and the largest difference over its bins.
    """
    features = np.load(folder / "all_features_mousedays_11bins.npy")[0]
    rows = []
    for (assay, larva), shares in active_shares(mice).iterrows():
        strain, mouse = (int(word) for word in assay.split()[1::2])
        own = features[(features[:, 0] == strain) & (features[:, 1] == mouse)]
        off = np.abs(own[:, 3:] - shares.to_numpy()).max(axis=1)
        best = int(off.argmin())
        rows.append((assay, larva, int(own[best, 2]), off[best]))
    return pd.DataFrame(rows, columns=["assay", "larva", "feature_day", "difference"])


def recording_rounds(mice: ls.Ethogram) -> dict[str, int]:
    """Group mice whose recordings began and ended at the same seconds on most of their days."""
    tracks = mice.larvae.assign(assay=mice.assays["assay"].to_numpy()[mice.larvae["assay_index"]])
    hours = {
        name: set(zip(own["t_from"].round(), own["t_to"].round(), strict=True))
        for name, own in tracks.groupby("assay")
    }
    rounds: list[set[tuple[float, float]]] = []
    found = {}
    for name, own in hours.items():
        match = [k for k, known in enumerate(rounds) if len(own & known) > len(own) / 2]
        if not match:
            rounds.append(own)
        found[name] = match[0] + 1 if match else len(rounds)
    return found


# -- tests --------------------------------------------------------------------------------------


def compare_strains(mice: ls.Ethogram, view: str = "jump", unit: str = "assay") -> list[ls.HTest]:
    """Compare every pair of strains; `unit` 'larva' takes every day for an animal of its own."""
    return [
        ls.compare(mice, one, other, null="relabel", unit=unit, resamples=DRAWS, **VIEWS[view])
        for one, other in PAIRS
    ]


def summary(tests: Sequence[ls.HTest], **columns: object) -> pd.DataFrame:
    """One row per test, p-values also as shares of the relabellings."""
    rows = []
    for test in tests:
        n = test.n_resamples or 0
        exact = test.seed is None
        rows.append(
            {
                "comparison": f"{test.design['genotype']} | {test.design['control']}",
                **columns,
                "units": f"{test.design['n_assays']} | {test.design['n_control_assays']}",
                "T": test.statistic["T"],
                "p_value": test.p_value,
                "p_as_share": f"{round(test.p_value * n)}/{n}" if exact else f"of {n} drawn",
                "p_floor": test.design["p_floor"],
                "floor_as_share": f"{round(test.design['p_floor'] * n)}/{n}" if exact else "",
                "hellinger": test.estimate["Hellinger distance"],
                "top_transition": test.design["top_transition"],
            }
        )
    return pd.DataFrame(rows)


def strain_table(mice: ls.Ethogram) -> pd.DataFrame:
    """Three pairs, two ways to count, the mouse and (wrongly) the day as unit; BH over pairs."""
    parts = []
    for view in VIEWS:
        for unit, name in (("assay", "mouse"), ("larva", "day (wrong)")):
            part = summary(compare_strains(mice, view, unit), view=view, unit=name)
            part["q_value"] = false_discovery_control(part["p_value"])
            parts.append(part)
    return pd.concat(parts, ignore_index=True)


def old_and_new(mice: ls.Ethogram, view: str = "jump") -> pd.DataFrame:
    """Order the pairs by the pooled distance, by T and by p, and compare the signs of cells.

    The field's numbers come from pooled counts: Hellinger distance, and the difference of
    probabilities in the transition that differs most. T compares the mean profiles of mice. `same`
    is the share of transitions (weighted by how often they occur) whose difference has one sign in
    both.
    """
    options = VIEWS[view]
    kind, dt = str(options["transitions"]), float(options.get("dt", 0.1))
    counts = count_transitions(mice, (WHOLE,), kind, dt).counts[:, 0]
    genotype = mice.assays["genotype"].to_numpy()
    rows = []
    for test in compare_strains(mice, view):
        groups = [counts[genotype == test.design[who]] for who in ("genotype", "control")]
        pooled, means = _pooled_difference(groups), _mean_difference(groups)
        start, end = (mice.states.index(s) for s in test.design["top_transition"].split("->"))
        weight = sum(g.sum(axis=0) for g in groups)
        rows.append(
            {
                "comparison": f"{test.design['genotype']} | {test.design['control']}",
                "view": view,
                "hellinger_adjusted": test.estimate["adjusted"],
                "T": test.statistic["T"],
                "p_value": test.p_value,
                "top_transition": test.design["top_transition"],
                "pooled": pooled[start, end],
                "mean_of_mice": means[start, end],
                "same": float(weight[pooled * means > 0].sum() / weight[pooled * means != 0].sum()),
            }
        )
    table = pd.DataFrame(rows)
    for name, column in (("H", "hellinger_adjusted"), ("T", "T")):
        table[f"rank_{name}"] = table[column].rank(ascending=False).astype(int)
    table["rank_p"] = table["p_value"].rank(method="min").astype(int)
    return table


def _pooled_difference(groups: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    one, other = (probabilities(g.sum(axis=0)) for g in groups)
    return np.nan_to_num(one - other)


def _mean_difference(groups: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    one, other = (probabilities(g).mean(axis=0) for g in groups)
    return np.nan_to_num(one - other)


def split_table(bouts: pd.DataFrame) -> pd.DataFrame:
    """Compare every strain with itself: two of its mice against the other two, three ways.

    Nothing but the individuals differs here, so an honest test rejects one time in twenty.
    """
    parts = []
    for strain, own in bouts.groupby("line", observed=True):
        for partner in (1, 2, 3):
            first = own["assay"].isin([f"{strain} mouse 0", f"{strain} mouse {partner}"])
            names = f"mice 0, {partner}", "mice " + ", ".join(str(k) for k in {1, 2, 3} - {partner})
            halves = ethogram(own.assign(line=np.where(first, *names)))
            for unit, name in (("assay", "mouse"), ("larva", "day (wrong)")):
                test = ls.compare(
                    halves, *names, null="relabel", unit=unit, resamples=DRAWS, bootstrap=0
                )
                parts.append(summary([test], strain=strain, unit=name))
    return pd.concat(parts, ignore_index=True)


def day_probabilities(bouts: pd.DataFrame, start: str, stop: str) -> pd.DataFrame:
    """Probability of one transition, by day and by mouse (in `mouse`, over all its days)."""
    by_day = bouts["assay"].astype("str") + " " + bouts["larva"].astype("str")
    parts = []
    for lines in (by_day, bouts["assay"]):
        table = ls.transitions(ethogram(bouts.assign(assay=lines, line=lines))).tidy()
        parts.append(table[(table["from"] == start) & (table["to"] == stop)])
    day, mouse = (part.set_index("genotype")["p"] for part in parts)
    out = pd.DataFrame({"p": day})
    out["assay"] = [name.rsplit(" day ", 1)[0] for name in out.index]
    out["mouse"] = out["assay"].map(mouse)
    return out.rename_axis("day").reset_index()


# -- pictures -----------------------------------------------------------------------------------

INKS = ("#0072B2", "#E69F00", "#009E73")
MOUSE, DAY = "#222222", "#D55E00"


@style.styled
def plot_days(days: pd.DataFrame, splits: pd.DataFrame, strains: pd.DataFrame) -> Figure:
    """Draw why a day is no unit: days cluster by mouse, and p-values that forget it are tiny."""
    figure = style.new_figure(9.4, 4.75)
    style.heading(
        figure,
        ["A mouse's days are one mouse"],
        ["Left: chance that an active mouse turns to the feeder next. Dots: days; bars: mice.",
         "Right: the same data tested with the mouse, and with the day, as unit. "
         "Below the gap a strain is compared with itself."],
        0.3,
    )  # fmt: skip
    _draw_mice(style.axes_at(figure, 0.75, 1.08, 3.7, 3.15), days)
    _draw_p_values(style.axes_at(figure, 6.35, 1.08, 2.75, 3.15), splits, strains)
    return figure


def _draw_mice(axes: Axes, days: pd.DataFrame) -> None:
    ticks = []
    for k, (name, own) in enumerate(days.groupby("assay", sort=True)):
        strain, mouse = (int(word) for word in name.split()[1::2])
        x = k + 0.8 * strain
        spread = np.linspace(-0.28, 0.28, len(own))
        axes.scatter(x + spread, own["p"], s=11, color=INKS[strain], alpha=0.75, linewidths=0)
        axes.hlines(own["mouse"].iloc[0], x - 0.38, x + 0.38, color=style.INK, linewidth=1.6)
        ticks.append((x, str(mouse)))
        if mouse == 1:
            axes.text(x + 0.5, 1.02, f"strain {strain}", ha="center", color=INKS[strain])
    axes.set(ylim=(0, 1), ylabel="P(active → feeding)", xlabel="mouse")
    axes.set_xticks(*zip(*ticks, strict=True))
    axes.tick_params(axis="x", length=0)


def _draw_p_values(axes: Axes, splits: pd.DataFrame, strains: pd.DataFrame) -> None:
    rows = pd.concat([strains, splits.assign(comparison=splits["strain"] + ": "
                                             + splits["comparison"])])  # fmt: skip
    names = list(dict.fromkeys(rows["comparison"]))
    gap = [k + (k >= len(PAIRS)) for k in range(len(names))]
    place = dict(zip(names, gap, strict=True))
    for unit, ink in (("mouse", MOUSE), ("day (wrong)", DAY)):
        own = rows[rows["unit"] == unit]
        axes.scatter(own["p_value"], own["comparison"].map(place), s=26, color=ink, label=unit,
                     zorder=3, linewidths=0)  # fmt: skip
    axes.axvline(0.05, color=style.MUTED, linewidth=0.8, linestyle=(0, (3, 2)))
    axes.text(0.05, -1.15, ".05", ha="center", va="bottom", size=8, color=style.MUTED)
    axes.set(xscale="log", xlim=(0.6 * rows["p_value"].min(), 1.4), xlabel="p-value")
    axes.set_ylim(max(gap) + 0.7, -0.9)
    axes.set_yticks(gap, names, size=7.5)
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.04, 1.0), ncols=2, borderaxespad=0,
                handletextpad=0, columnspacing=0.8)  # fmt: skip


def plot_one_day(bouts: pd.DataFrame, day: str = "day 01") -> Figure:
    """Draw the states of all mice on one day."""
    mice = ethogram(bouts[bouts["larva"] == day])
    return plot_raster(mice, title=f"Twelve mice on {day}, from midnight; contacts joined to meals")


# -- all together -------------------------------------------------------------------------------


def sentences(strains: pd.DataFrame, splits: pd.DataFrame, rounds: Mapping[str, int]) -> list[str]:
    """Say what was found, and what was not."""
    mouse = strains[strains["unit"] == "mouse"]
    shares = {
        view: ", ".join(f"{row.comparison} {row.p_as_share}" for row in own.itertuples())
        for view, own in mouse.groupby("view", sort=False)
    }
    wrong = splits[splits["unit"] != "mouse"]
    rejected = int((wrong["p_value"] <= 0.05).sum())
    by_round = pd.Series(rounds).rename_axis("mouse").reset_index(name="k").groupby("k")["mouse"]
    return [
        "Mouse as unit, every relabelling enumerated; smallest possible p "
        f"{mouse['floor_as_share'].iloc[0]}. "
        + " ".join(f"Counting by {view}: {text}." for view, text in shares.items()),
        f"Over all {len(mouse)} of these tests the smallest Benjamini-Hochberg q is "
        f"{false_discovery_control(mouse['p_value']).min():.3f}: four mice a strain are few.",
        "Day as unit: a strain compared with itself, two mice against two, is called different in "
        f"{rejected} of {len(wrong)} comparisons at .05, with p down to "
        f"{wrong['p_value'].min():.1g}. A mouse's days resemble each other; they are one animal.",
        "Mice whose recordings began and ended at the same seconds: "
        + "; ".join(f"round {k}: {', '.join(mice)}" for k, mice in by_round)
        + ". Mice of one round share what happened in it. The files do not speak of rounds, and "
        "the tests above exchange mice across them.",
    ]


def run(folder: Path, out: Path | None = None, join: float = 0.0) -> dict[str, object]:
    """Do the whole analysis; write tables and pictures where `out` is given."""
    bouts = bout_table(folder, join)
    mice = ethogram(bouts)
    check = against_features(mice, folder)
    matrices = ls.transitions(mice)
    tests = compare_strains(mice)
    strains = strain_table(mice)
    splits = split_table(bouts)
    agreement = pd.concat([old_and_new(mice, view) for view in VIEWS], ignore_index=True)
    days = day_probabilities(bouts, "active", "feeding")
    said = sentences(strains, splits, recording_rounds(mice))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        tables = {"strains": strains, "splits": splits, "transitions": matrices.tidy(),
                  "days": days, "check": check, "old_and_new": agreement}  # fmt: skip
        for name, table in tables.items():
            table.to_csv(out / f"{name}.csv", index=False)
        for test, (one, other) in zip(tests, PAIRS, strict=True):
            stem = f"matrices_{one}_{other}".replace(" ", "")
            save_figure(test.plot(), out / stem)
        shown = strains[strains["view"] == "jump"]
        save_figure(plot_days(days, splits, shown), out / "days_are_not_units")
        save_figure(plot_one_day(bout_table(folder, JOIN)), out / "one_day")
    return {"mice": mice, "check": check, "matrices": matrices, "tests": tests,
            "strains": strains, "splits": splits, "days": days, "agreement": agreement,
            "sentences": said}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("data", type=Path, help="folder with the two files of mousestyles")
    parser.add_argument("--out", type=Path, default=Path("results/01_mouse_strains"))
    parser.add_argument(
        "--join", type=float, default=0.0, metavar="S",
        help="join contacts at most S seconds apart into one (default: none)",
    )  # fmt: skip
    args = parser.parse_args(argv)
    found = run(args.data, args.out, args.join)
    check = found["check"]
    print(found["mice"])
    print(
        f"active shares of {len(check)} mouse-days × 11 two-hour bins against the published "
        f"features: largest difference {check['difference'].max():.1e}"
    )
    print(found["matrices"])
    for test in found["tests"]:
        print(test)
    with pd.option_context("display.width", 200, "display.max_columns", 20):
        print(found["strains"].to_string(index=False, float_format="%.4g"), "\n")
        print(found["splits"].to_string(index=False, float_format="%.4g"), "\n")
        print("Pooled distance (H adj.) and studentised statistic (T), their order, their signs:")
        print(found["agreement"].to_string(index=False, float_format="%.4g"), "\n")
    print(*found["sentences"], f"Tables and pictures: {args.out}", sep="\n\n")


if __name__ == "__main__":
    main()
