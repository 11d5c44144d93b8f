"""Train the default model on simulated larvae of three genotypes, and examine it.

    python analyses/07_generative_gates.py OUT [--seeds 3] [--epochs 6] [--permutations 0]

Air puffs, 30 assays of every genotype, 20 frames a second. One genotype is slow, one bends more and
casts more often; both effects hold throughout. Preset small, 40,000 training sequences; every seed
is a training, a fit of the prior, draws and an examination of its own, on the same held-out assays.
A training that is in OUT already is not repeated. A seed takes about 20 minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from generative.config import make_config
from generative.dataset.build import Draw
from generative.dataset.indexing import build_index
from generative.diagnostics.diagnose import Diagnosis, diagnose
from generative.diagnostics.write import write_diagnosis
from generative.verbs import train_index
from larvastats.verbs.simulate import simulate

EFFECTS = (
    {"line": "GMR_SLOW", "kind": "speed", "window": "whole", "delta": 0.6},
    {"line": "GMR_BEND", "kind": "spread", "window": "whole", "delta": 1.5},
    {"line": "GMR_BEND", "kind": "transition", "from": "run", "to": "cast", "window": "whole",
     "delta": 0.1},
)  # fmt: skip
DATES = 5
MIX = "run=0.48,cast=0.45,back=0.05,hunch=0.02"
"""The report's, but for rolls, which larvae hardly do under air puffs."""


def recorded(out: Path, assays: int) -> None:
    """Simulate and index, once."""
    if (out / "index.h5").exists():
        return
    simulate(
        out / "recordings", protocol="airpuff", lines=["GMR_SLOW", "GMR_BEND"],
        assays_per_line=assays, control_assays_per_date=assays // DATES, dates=DATES, larvae=32,
        effects=EFFECTS, format="trx", shapes="midline", fps=20, seed=11, jobs=2, progress=True,
    )  # fmt: skip
    print(build_index(out / "recordings", out / "index.h5", jobs=2, progress=True))


def table(found: dict[int, Diagnosis]) -> str:
    """One row per gate, one column per seed, in Markdown."""
    seeds = list(found)
    lines = [
        "| gate | asked | " + " | ".join(f"seed {s}" for s in seeds) + " | floor |",
        "|---|---|" + "---:|" * (len(seeds) + 1),
    ]
    for k, gate in enumerate(found[seeds[0]].gates):
        own = [found[s].gates[k] for s in seeds]
        values = " | ".join(f"{g.value:.3f}" for g in own)
        floors = [g.floor for g in own]
        floor = f"{sum(floors) / len(floors):.3f}"
        lines.append(f"| {gate.name} | {gate.asked} | {values} | {floor} |")
    lines.append("| gates met | | " + " | ".join(str(found[s].met) for s in seeds) + " | |")
    for number in ("c2st", "bend_ratio", "jerk_ratio", "spectrum_velocity", "spectrum_bend"):
        own_pairs = [found[s].fidelity.numbers[number] for s in seeds]
        values = " | ".join(f"{p.value:.3f}" for p in own_pairs)
        lines.append(f"| {number} | | {values} | {own_pairs[0].floor:.3f} |")
    return "\n".join(lines)


def main(given: argparse.Namespace) -> None:
    out, found = given.out, {}
    out.mkdir(parents=True, exist_ok=True)
    recorded(out, given.assays)
    first, second, third = map(int, given.sequences.split(","))
    what = Draw((first, second, third), MIX)
    for seed in range(given.seeds):
        config = make_config({
            "model": {"preset": given.preset},
            "training": {"epochs": given.epochs, "seed": seed},
        })  # fmt: skip
        run = out / f"{given.preset}_{seed}"
        print(train_index(out / "index.h5", run, config, what, jobs=2, progress=True))
        found[seed] = diagnose(
            run, most=third, seed=seed, permutations=0 if seed else given.permutations,
            progress=True,
        )  # fmt: skip
        write_diagnosis(found[seed], out / f"examination_{seed}")
        print(found[seed])
    print(table(found))
    (out / "gates.json").write_text(json.dumps([f.to_json() for f in found.values()]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--assays", type=int, default=30)
    parser.add_argument("--sequences", default="40000,2000,6000")
    parser.add_argument("--permutations", type=int, default=0)
    main(parser.parse_args())
