"""Training: sequences per second against a plain loop over a DataLoader, and the share of the peak.

    python analyses/benchmarks/bench_training.py
    python analyses/benchmarks/bench_training.py --sequences 4000 --presets tiny --seconds 5

Plates of larvae that wriggle are written into a store (`--keep midline`), indexed, and a training
set is drawn. Contestants, all with the same model, batch size and optimiser, in one thread of this
process; seconds are of processor time (of wall time on a graphics card):

- `larvastats`: batches from the contiguous training set;
- `DataLoader, training set`: one HDF5 read per sample from the same contiguous file;
- `DataLoader, recordings`: per sample, the frames of the index's row from the recording's own file,
  normalised there, which is what a loop over an index of recordings does.

`load` times the batches alone, `train` whole steps. They take turns, `--rounds` times; medians are
printed. Batches of the first two are compared number by number. FLOPs of a step are counted by
torch's FlopCounterMode; the peak is the best rate of a square matrix product on the same device, in
the same run. The projection is the report's training, 2,000,000 sequences for 100 epochs. On a
machine with a graphics card everything runs on it, in bfloat16.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from generative.batches import Augmentation, Batches
from generative.config import make_config
from generative.dataset.build import Draw, build_sequences
from generative.dataset.index import Index, read_index
from generative.dataset.indexing import build_index
from generative.dataset.sequences import Sequences
from generative.frames import to_frames
from generative.losses import compute_loss
from generative.models import PRESETS, Batch, Conditions
from generative.training import describe
from larvastats.io import trx
from larvastats.io.paths import database_path, make_identity
from larvastats.io.store.ingest import ingest
from larvastats.io.tracks import Tracks

BATCH = 64
REPORT_SEQUENCES = 2_000_000 * 100


def plate(k: int, larvae: int, frames: int) -> Tracks:
    """Larvae that wriggle, of one plate."""
    rng = np.random.default_rng(k)
    n = larvae * frames
    phase = np.arange(n)[:, None] * 0.3 + np.linspace(0, 3, 11) + rng.normal(0, 0.05, (n, 11))
    midline = np.stack((np.linspace(2, -2, 11) + 0.01 * np.arange(n)[:, None] % 50,
                        0.4 * np.sin(phase)), axis=2)  # fmt: skip
    state = np.repeat(rng.integers(0, 3, n // 25 + 1), 25)[:n]
    identity = make_identity("t15", "AB"[k % 2], "UAS", "n#n#n#n", f"20240101_{k:06d}")
    return Tracks.build(
        identity, [str(i) for i in range(larvae)], np.repeat(np.arange(larvae), frames),
        np.tile(np.arange(frames) / 10, larvae), midline=midline, states=("run", "cast", "back"),
        state=state,
    )  # fmt: skip


def prepare(folder: Path, n: int) -> tuple[Index, Sequences]:
    """Store, index, training set."""
    plates = max(6, n // 1500 + 1)
    for k in range(plates):
        tracks = plate(k, 50, 2100)
        path = folder / "database" / database_path(tracks.identity, "trx.mat")
        path.parent.mkdir(parents=True)
        trx.write(tracks, path)
    ingest(folder / "database", folder / "store", keep="midline")
    began = time.process_time()
    report = build_index(folder / "store", folder / "index.h5")
    spent = time.process_time() - began
    rate = report.n_sequences / spent
    print(f"index: {report.n_sequences:,} sequences of {plates} plates in {spent:.1f} s, one "
          f"process ({rate:,.0f}/s; a million in {1e6 / rate / 60:.1f} min)")  # fmt: skip
    index = read_index(folder / "index.h5")
    began = time.process_time()
    sequences = build_sequences(index, folder / "sequences.h5", Draw((n, 100, 0), "natural"))
    print(f"training set: {n:,} sequences drawn and cut in {time.process_time() - began:.1f} s")
    return index, sequences


# -- the peers -------------------------------------------------------------------------------------


class FromSet(Dataset):
    """One HDF5 read per sample from the training set."""

    def __init__(self, sequences: Sequences, rows: np.ndarray, norm: Any) -> None:
        self.file = h5py.File(sequences.frames.filename, "r")
        self.sequences, self.rows, self.norm = sequences, rows, norm

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.rows)

    def __getitem__(self, k: int) -> tuple[np.ndarray, int, int, int, int]:
        """One sample."""
        row = self.rows[k]
        x = self.norm.apply(self.file["frames"][row])
        n = int(self.file["length"][row])
        x[n:] = 0
        return (x, n, int(self.file["action"][row]), int(self.file["genotype"][row]),
                int(self.file["stimulus"][row]))  # fmt: skip


class FromRecordings(FromSet):
    """Per sample, the frames of the index's row from the recording's file."""

    def __init__(self, index: Index, store: Path, sequences: Sequences, rows: np.ndarray,
                 norm: Any) -> None:  # fmt: skip
        super().__init__(sequences, rows, norm)
        self.index, self.store = index, store
        self.first = np.concatenate(([0], np.cumsum(index.tables["larva_frames"])))

    def __getitem__(self, k: int) -> tuple[np.ndarray, int, int, int, int]:
        """One sample."""
        index, row = self.index, self.sequences.columns["row"][self.rows[k]]
        own = {name: column[row] for name, column in index.rows.items()}
        before = np.searchsorted(index.tables["larva_assay"], own["assay"])
        offset = self.first[own["larva"]] - self.first[before]
        with h5py.File(self.store / index.names["recordings"][own["recording"]], "r") as file:
            midline = file["midline"][offset + own["start"] : offset + own["end"]]
        frames, _ = to_frames(midline, index.tables["larva_length"][own["larva"]])
        x = np.zeros((index.cutting.length, frames.shape[1]), np.float32)
        x[: len(frames)] = self.norm.apply(frames)
        return (x, len(frames), int(own["action"]), int(own["genotype"]), int(own["stimulus"]))


def collated(samples: list[tuple[Any, ...]]) -> Batch:
    """Make a batch of samples."""
    x, length, *codes = (np.stack(column) for column in zip(*samples, strict=True))
    mask = torch.arange(x.shape[1]) < torch.from_numpy(length)[:, None]
    return Batch(torch.from_numpy(x), mask, Conditions(*map(torch.from_numpy, codes)))


def forever(loader: DataLoader) -> Iterator[Batch]:
    """Batches, epoch after epoch."""
    while True:
        yield from loader


def own_batches(data: Batches) -> Iterator[Batch]:
    """Batches as a training takes them."""
    rng = np.random.default_rng(0)
    nothing = Augmentation(np.zeros(BATCH, bool), np.zeros((BATCH, 3), bool))
    while True:
        order = rng.permutation(len(data))
        for k in range(len(order) // BATCH):
            yield data.take(order[k * BATCH : (k + 1) * BATCH], nothing)


# -- measuring -------------------------------------------------------------------------------------


def clock(device: torch.device) -> float:
    """Return seconds of processor time, which others do not lengthen; of wall time on a card."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def rate(step: Callable[[], None], seconds: float, device: torch.device) -> float:
    """Return sequences per second."""
    step()
    steps, began = 0, clock(device)
    while clock(device) - began < seconds or steps < 2:
        step()
        steps += 1
    return steps * BATCH / (clock(device) - began)


def peak(device: torch.device, seconds: float = 1.5) -> float:
    """Best FLOP/s of a square matrix product."""
    kind = torch.bfloat16 if device.type == "cuda" else torch.float32
    best = 0.0
    for size in (1024, 2048) if device.type == "cpu" else (4096, 8192):
        a, b = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))
        began = clock(device)
        while clock(device) - began < seconds:
            start = clock(device)
            a @ b
            best = max(best, 2 * size**3 / (clock(device) - start))
    return best


class Stepper:
    """A model and the step of its training."""

    def __init__(self, sequences: Sequences, preset: str, device: torch.device) -> None:
        # the plain transformer: the share of the peak is that of its matrix products
        self.config = make_config({"model": {"preset": preset, "options": {"body": False}}})
        self.description = describe(sequences, self.config)
        self.device = device
        torch.manual_seed(0)
        self.model = self.description.build().to(device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), 1e-3, fused=True)
        self.noise = torch.randn(BATCH, self.model.latent, device=device)

    def step(self, batch: Batch) -> None:
        """Forward, backward, update."""
        batch = batch.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            terms = self.model.terms(batch, self.noise)
        self.optimizer.zero_grad(set_to_none=True)
        compute_loss(terms, self.config.loss, 1.0).total.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()

    def flops(self, batch: Batch) -> float:
        """FLOPs of a step, per sequence."""
        with FlopCounterMode(display=False) as counter:
            self.step(batch)
        return counter.get_total_flops() / BATCH


def measure(index: Index, store: Path, sequences: Sequences, options: argparse.Namespace) -> None:
    """Print one table."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows = sequences.fold("train")
    norm = describe(sequences, make_config({})).normaliser
    sets = {
        "DataLoader, training set": FromSet(sequences, rows, norm),
        "DataLoader, recordings": FromRecordings(index, store, sequences, rows, norm),
    }
    data = Batches(sequences, rows, norm, device)
    check = data.take(np.arange(8))
    for name, samples in sets.items():
        other = collated([samples[k] for k in range(8)])
        torch.testing.assert_close(check.x.cpu(), other.x, rtol=1e-4, atol=1e-4, msg=name)
    sources = {"larvastats": own_batches(data)}
    for name, samples in sets.items():
        loader = DataLoader(samples, BATCH, shuffle=True, drop_last=True, collate_fn=collated)
        sources[name] = forever(loader)
    print("\nload, sequences/s")
    loads: dict[str, list[float]] = {name: [] for name in sources}
    for _ in range(options.rounds):
        for name, source in sources.items():
            loads[name].append(rate(lambda s=source: next(s), options.seconds / 2, device))
    print_rates(loads)
    for preset in options.presets:
        stepper = Stepper(sequences, preset, device)
        flops = stepper.flops(next(sources["larvastats"]))
        rates: dict[str, list[float]] = {name: [] for name in sources}
        peaks = []
        for _ in range(options.rounds):
            peaks.append(peak(device, options.seconds / 4))
            for name, source in sources.items():
                rates[name].append(
                    rate(lambda s=source, t=stepper: t.step(next(s)), options.seconds, device)
                )
        own = statistics.median(rates["larvastats"])
        top = statistics.median(peaks)
        n = sum(p.numel() for p in stepper.model.parameters())
        print(f"\n{preset}: {n / 1e6:.2f} M parameters, {flops / 1e9:.3f} GFLOP a sequence; "
              f"{own * flops / 1e9:.1f} of {top / 1e9:.1f} GFLOP/s ({own * flops / top:.0%}); the "
              f"report's {REPORT_SEQUENCES:.0e} sequences: {REPORT_SEQUENCES / own / 86400:.1f} "
              "days")  # fmt: skip
        print_rates(rates)


def print_rates(rates: dict[str, list[float]]) -> None:
    """Print medians and ratios."""
    own = statistics.median(rates["larvastats"])
    for name, values in rates.items():
        middle = statistics.median(values)
        print(f"  {name:<26} {middle:>12,.0f}   larvastats / it: {own / middle:>7.1f}")


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=10_000)
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), choices=PRESETS)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "processor"
    print(f"{card}, one thread, batches of {BATCH}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        index, sequences = prepare(folder, options.sequences)
        measure(index, folder / "store", sequences, options)


if __name__ == "__main__":
    main()
