"""Train the default model on simulated larvae of three genotypes, and examine it.

    python analyses/07_generative_gates.py OUT [--assays 15] [--larvae 32] [--epochs 25]

One genotype is slow, one bends more and casts more often; both effects hold throughout. Everything
is in OUT afterwards: recordings, index, training, examination. A quarter of an hour on two cores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from generative.config import make_config
from generative.dataset.build import Draw
from generative.dataset.indexing import build_index
from generative.diagnostics.diagnose import diagnose
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
CONFIG = {
    "model": {"preset": "tiny"},
    "training": {"batch_size": 32, "learning_rate": 5e-4},
}


def main(out: Path, assays: int, larvae: int, epochs: int, counts: tuple[int, int, int]) -> None:
    simulate(
        out / "recordings", protocol="light", lines=["GMR_SLOW", "GMR_BEND"],
        assays_per_line=assays, control_assays_per_date=assays // DATES, dates=DATES,
        larvae=larvae, effects=EFFECTS, format="trx", shapes="midline", fps=10, seed=11,
    )  # fmt: skip
    print(build_index(out / "recordings", out / "index.h5"))
    config = make_config({**CONFIG, "training": {**CONFIG["training"], "epochs": epochs}})
    what = Draw(counts, "run=0.57,cast=0.40,back=0.03")
    print(train_index(out / "index.h5", out / "training", config, what))
    found = diagnose(out / "training")
    write_diagnosis(found, out / "examination")
    print(found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--assays", type=int, default=15)
    parser.add_argument("--larvae", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--sequences", default="6000,900,1000")
    given = parser.parse_args()
    first, second, third = map(int, given.sequences.split(","))
    main(given.out, given.assays, given.larvae, given.epochs, (first, second, third))
