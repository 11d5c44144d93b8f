"""Twenty real larvae in four recordings: matrices, distances, and what such a design cannot say.

Four groups of larvae (7, 4, 6 and 3 of them) crawled under FIMTrack, one recording per group. The
tracker's own flags give the states: run, cast, stop, coiled. The script draws the ethograms,
estimates the transition matrices, and measures how far the groups lie apart.

Every group is one recording, so group and recording are the same thing: with the recording as unit
there is no test, and larvastats says so. With the larva as unit there are p-values, a warning, and
a question that they do not answer. Read the sentences at the end before the numbers.

Run it on the folder with the four tables. They hold frame numbers and no frame rate; their authors'
own script assumes 10 frames per second::

    python analyses/02_fimtrack_larvae.py path/to/fimtrack --out results/02_fimtrack_larvae
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import false_discovery_control

import larvastats as ls
from larvastats.plot.matrices import plot_windows
from larvastats.plot.raster import plot_raster
from larvastats.plot.save import save_figure

CANNOT_SAY = (
    "What this design cannot say: whether the groups differ. Each group was recorded once, so "
    "whatever set the recordings apart (plate, hour, temperature, light, handling, length) looks "
    "like a difference between groups, and no number of larvae on the same plates can undo that: "
    "it takes several recordings of every group.\n"
    "The p-values above ask whether larvae filmed together behave more alike than larvae filmed "
    "apart. A small one would be no news about genotypes, and a large one no proof of sameness."
)


def distance_table(larvae: ls.Ethogram) -> pd.DataFrame:
    """Compare every two groups, larvae exchanged; BH over the pairs."""
    rows = []
    for one, other in combinations(larvae.genotypes, 2):
        test = ls.compare(larvae, one, other, unit="larva", null="relabel")
        n = test.n_resamples or 0
        rows.append(
            {
                "groups": f"{one} | {other}",
                "larvae": f"{test.design['n_assays']} | {test.design['n_control_assays']}",
                "hellinger": test.estimate["Hellinger distance"],
                "adjusted": test.estimate["adjusted"],
                "js": test.estimate["Jensen-Shannon"],
                "kl": test.estimate["Kullback-Leibler"],
                "T": test.statistic["T"],
                "p_value": test.p_value,
                "p_as_share": f"{round(test.p_value * n)}/{n}",
                "p_floor": test.design["p_floor"],
                "recordings": "; ".join(n for n in test.notes if " against " in n),
                "warning": next(n for n in test.notes if n.startswith("unit is the larva")),
            }
        )
    table = pd.DataFrame(rows)
    return table.assign(q_value=false_discovery_control(table["p_value"]))


def old_and_new(distances: pd.DataFrame) -> pd.DataFrame:
    """Order the pairs by the pooled distance, by T and by p."""
    table = distances[["groups", "larvae", "adjusted", "T", "p_value"]].copy()
    for name, column in (("H", "adjusted"), ("T", "T")):
        table[f"rank_{name}"] = table[column].rank(ascending=False).astype(int)
    table["rank_p"] = table["p_value"].rank(method="min").astype(int)
    return table.sort_values("rank_H", ignore_index=True)


def by_recording(larvae: ls.Ethogram) -> pd.DataFrame:
    """Ask what the recordings as units allow; group_1 stands for a control."""
    return ls.info(larvae, control=larvae.genotypes[0]).lines


def plot_groups(result: ls.TransitionsResult) -> Figure:
    """Draw the matrices of all groups side by side, as the windows of one picture."""
    groups = replace(
        result,
        table=result.table.assign(window=result.table["genotype"], genotype="Four recordings"),
        design={**result.design, "windows_text": {}, "data_name": "FIMTrack's own flags as states"},
    )
    return plot_windows(groups)


def occupancy(larvae: ls.Ethogram) -> pd.DataFrame:
    """Share of the tracked time in each state, by larva."""
    bouts = larvae.to_bouts()
    seconds = (bouts["t_stop"] - bouts["t_start"]).groupby(
        [bouts["assay"], bouts["larva"], bouts["state"]], observed=False
    )
    table = seconds.sum().unstack("state")
    table = table[table.sum(axis=1) > 0]
    return table.div(table.sum(axis=1), axis=0)


def run(folder: Path, out: Path | None = None, min_bout: float = 0.0) -> dict[str, object]:
    """Do the whole analysis; write tables and pictures where `out` is given."""
    larvae = ls.load(folder, fps=10, min_bout=min_bout)
    matrices = ls.transitions(larvae)
    distances = distance_table(larvae)
    agreement = old_and_new(distances)
    shares = occupancy(larvae)
    honest = by_recording(larvae)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        matrices.tidy().to_csv(out / "transitions.csv", index=False)
        distances.to_csv(out / "distances.csv", index=False)
        agreement.to_csv(out / "old_and_new.csv", index=False)
        shares.to_csv(out / "occupancy.csv")
        save_figure(plot_raster(larvae, title="Twenty larvae, four recordings"), out / "ethograms")
        save_figure(plot_groups(matrices), out / "matrices")
    return {"larvae": larvae, "matrices": matrices, "distances": distances, "occupancy": shares,
            "honest": honest, "agreement": agreement}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("data", type=Path, help="folder with FIMTrack tables, one per group")
    parser.add_argument("--out", type=Path, default=Path("results/02_fimtrack_larvae"))
    parser.add_argument(
        "--min-bout", type=float, default=0.0, metavar="S",
        help="merge bouts shorter than S seconds into their neighbours (default: keep all)",
    )  # fmt: skip
    args = parser.parse_args(argv)
    found = run(args.data, args.out, args.min_bout)
    print(found["larvae"])
    print(found["matrices"])
    with pd.option_context("display.width", 200, "display.max_columns", 20):
        print("Recording as unit:")
        shown = found["honest"][["genotype", "control", "n_assays", "p_floor", "note"]]
        print(shown.to_string(index=False), "\n")
        print("Larva as unit:")
        shown = found["distances"].drop(columns=["warning", "p_floor"]).round(3)
        print(shown.to_string(index=False))
        print("\nPooled distance (H adj.) and studentised statistic (T), and their order:")
        print(found["agreement"].round(3).to_string(index=False))
        print(f"warning: {found['distances']['warning'].iloc[0]}\n")
    print(CANNOT_SAY, f"Tables and pictures: {args.out}", sep="\n\n")


if __name__ == "__main__":
    main()
