"""The commands of ``larvastats generate``; an entry point plugs ``app`` into larvastats.

What needs torch is imported inside the commands: ``--help`` is instant, and without the extra every
command says how to get it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from generative import cli_samples
from larvastats.cli import options as o
from larvastats.errors import DataError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Learn how larvae move, and draw new trajectories.\n\n"
    "`index` finds every sequence in the recordings, `train` learns from a draw of them, `sample` "
    "draws new ones, `diagnose` examines how like real ones they are.",
)

DATA, MODEL = o.DATA, "Model"

INDEX_EXAMPLES = (
    "larvastats ingest my_database my_store --keep midline",
    "larvastats generate index my_store sequences.h5 --jobs 2",
)
TRAIN_EXAMPLES = (
    "larvastats generate train sequences.h5 --out runs/small",
    "larvastats generate train sequences.h5 --out runs/report --config report.toml",
    "torchrun --nproc-per-node 4 .venv/bin/larvastats generate train sequences.h5 --out runs/base "
    "--preset base",
)


def _examples(lines: tuple[str, ...]) -> str:
    return "[bold]Examples[/bold]\n\n" + "\n\n".join(f"$ {line}" for line in lines)


@app.callback()
def generate() -> None:
    """Check that the extra is there; everything else is a command."""
    try:
        import pydantic  # noqa: F401
        import safetensors  # noqa: F401
        import torch  # noqa: F401
        from PIL import Image  # noqa: F401
    except ImportError as error:
        raise DataError(
            f"larvastats generate needs {error.name or 'torch'}, which is not installed; install "
            "the extra: pip install 'larvastats[generative]'."
        ) from error


Recordings = Annotated[
    Path,
    typer.Argument(metavar="SOURCE", help="A store made with --keep midline, a database directory, "
                   "a folder of recordings, or one recording.", show_default=False),
]  # fmt: skip
IndexOut = Annotated[
    Path, typer.Argument(metavar="INDEX", help="The index to write (.h5).", show_default=False)
]
IndexIn = Annotated[
    Path,
    typer.Argument(metavar="INDEX", help="What `generate index` wrote.", show_default=False),
]


def _option(flag: str, panel: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, rich_help_panel=panel, help=text, **more)


@app.command(epilog=_examples(INDEX_EXAMPLES))
def index(
    source: Recordings,
    path: IndexOut,
    length: Annotated[
        int, _option("--length", DATA, "Frames of a sequence.", min=2, metavar="N")
    ] = 50,
    shortest: Annotated[
        int, _option("--shortest", DATA, "Fewest frames of a sequence before a gap.", min=2,
                     metavar="N")
    ] = 10,
    stride: Annotated[
        int | None, _option("--stride", DATA, "Frames from start to start; by default the length, "
                            "so that sequences share no frame.", min=1, metavar="N")
    ] = None,
    vertebrae: Annotated[
        bool, _option("--vertebrae", DATA, "Five vertebrae per frame, not the 11 points of the "
                      "spine.")
    ] = False,
    images: Annotated[
        bool, _option("--images", DATA, "Only frames with an outline, for models of films.")
    ] = False,
    format: o.Format = "auto",
    labels: o.Labels = "large",
    exclude: o.Exclude = None,
    fps: o.Fps = None,
    px_per_mm: o.PxPerMm = None,
    jobs: o.Jobs = 1,
    json: o.Json = False,
) -> None:  # fmt: skip
    """Find every sequence of up to 50 frames, by what its larva does most.

    Interrupted, the same command goes on from there.
    """
    from dataclasses import asdict

    from generative.dataset.index import read_index
    from generative.dataset.indexing import build_index
    from generative.dataset.proportions import Proportions
    from generative.dataset.windows import Cutting

    cutting = Cutting(length, shortest, stride or length, 5 if vertebrae else 11, images)
    how = {"format": format, "labels": labels, "exclude": exclude, "fps": fps,
           "px_per_mm": px_per_mm}  # fmt: skip
    report = build_index(source, path, cutting, how, jobs=jobs, progress=True)
    found = read_index(path)
    table = Proportions.of(found.names["actions"], found.rows["action"])
    if json:
        counts = dict(zip(table.actions, table.counts, strict=True))
        print_document({"command": "generate index", **asdict(report), "sequences": counts})
        return
    typer.echo(
        f"{report.path}: {report.n_sequences:,} sequences of {report.n_larvae:,} larvae in "
        f"{report.n_assays:,} assays; {report.n_read} of {report.n_recordings} recordings read now"
        f"{f', {report.n_failed} failed' if report.n_failed else ''}\n\n{table}"
    )
    for reason in report.failures[:8]:
        typer.echo(f"left out: {reason}")


@app.command(epilog=_examples(TRAIN_EXAMPLES))
def train(
    path: IndexIn,
    out: Annotated[
        Path, _option("--out", o.OUTPUT, "Folder of the training; one that was interrupted goes "
                      "on.", metavar="DIR")
    ],
    config: Annotated[
        Path | None, _option("--config", MODEL, "Configuration in TOML: tables model, loss, "
                             "training.", metavar="FILE.toml")
    ] = None,
    model: Annotated[
        str | None, _option("--model", MODEL, "interpolate, frame_ae, transition_ae, lstm_vae, "
                            "transformer_vae_report, transformer_vae or cnn3d_vae.")
    ] = None,
    preset: Annotated[
        str | None, _option("--preset", MODEL, "tiny, small or base.")
    ] = None,
    epochs: Annotated[int | None, _option("--epochs", MODEL, "Times through the sequences.",
                                          min=1, metavar="N")] = None,
    sequences: Annotated[
        str, _option("--sequences", DATA, "How many to draw for training, validation and test.",
                     metavar="N,N,N")
    ] = "20000,2000,2000",
    mix: Annotated[
        str, _option("--mix", DATA, "Proportions of actions: report, natural, equal, or such as "
                     "run=0.5,cast=0.5.")
    ] = "report",
    genotypes: Annotated[
        str, _option("--genotypes", DATA, "Only these, separated by commas.", metavar="A,B,…")
    ] = "",
    split: Annotated[
        Literal["assay", "larva"], _option("--split", DATA, "What stays in one fold; larva is for "
                                           "recordings of a single plate.")
    ] = "assay",
    device: Annotated[
        Literal["auto", "cpu", "cuda"], _option("--device", o.OUTPUT, "Where to train.")
    ] = "auto",
    seed: o.Seed = 0,
    jobs: o.Jobs = 1,
    json: o.Json = False,
) -> None:  # fmt: skip
    """Draw a training set from an index and train a model on it.

    Folds are made of whole assays, within each genotype. The same command goes on with a training
    that was interrupted, to the same bits.
    """
    from generative.config import Config, changed, read_config
    from generative.dataset.build import Draw
    from generative.verbs import train_index

    settings = Config() if config is None else read_config(config)
    settings = changed(settings, "model", {"name": model, "preset": preset})
    settings = changed(settings, "training", {"epochs": epochs, "seed": seed or None})
    names = tuple(name.strip() for name in genotypes.split(",") if name.strip())
    what = Draw(_counts(sequences), mix, seed, split, names)
    report = train_index(path, out, settings, what, device=device, jobs=jobs, progress=True)
    if report is None:  # another process of torchrun speaks
        return
    if json:
        print_document({"command": "generate train", **report.to_json()})
    else:
        typer.echo(str(report))


def _counts(text: str) -> tuple[int, int, int]:
    from larvastats.errors import UsageError

    parts = text.split(",")
    if len(parts) != 3 or not all(part.strip().isdecimal() for part in parts):
        raise UsageError(
            f"--sequences takes three whole numbers, of training, validation and test, such as "
            f"20000,2000,2000, but is {text!r}."
        )
    first, second, third = (int(part) for part in parts)
    if not first or not second:
        raise UsageError(f"--sequences needs some for training and validation, but is {text!r}.")
    return first, second, third


def print_document(document: dict[str, Any]) -> None:
    """Print one JSON document, with the version."""
    import json

    from larvastats import __version__

    whole = {"version": __version__, **document}
    typer.echo(json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False))


app.command(epilog=_examples(cli_samples.SAMPLE_EXAMPLES))(cli_samples.sample)
app.command(epilog=_examples(cli_samples.DIAGNOSE_EXAMPLES))(cli_samples.diagnose)
