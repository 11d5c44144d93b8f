"""The commands ``larvastats generate sample`` and ``diagnose``; :mod:`generative.cli` adds them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from larvastats.cli import options as o

DRAWING = "Drawing"
SAMPLE_EXAMPLES = (
    "larvastats generate sample runs/small synthetic",
    "larvastats generate sample runs/small slow_casts --genotypes GMR_72F11@UAS --actions cast",
    "larvastats timecourse synthetic --response speed",
)
DIAGNOSE_EXAMPLES = (
    "larvastats generate diagnose runs/small",
    "larvastats generate diagnose runs/small --out results/examination --temperature 1",
)


def _option(flag: str, panel: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, rich_help_panel=panel, help=text, **more)


Run = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="Folder of a training, --out of `generate train`.",
                   show_default=False),
]  # fmt: skip
Store = Annotated[
    Path, typer.Argument(metavar="STORE", help="The store to write; new or empty.",
                         show_default=False)
]  # fmt: skip
Prior = Annotated[
    Literal["mixture", "gaussian", "standard"],
    _option("--prior", DRAWING, "What latents are drawn from: Gaussian mixtures or one Gaussian "
            "fitted to the posteriors of every condition, or N(0, I)."),
]  # fmt: skip
Temperature = Annotated[
    float, _option("--temperature", DRAWING, "Scales how far latents lie from the middle of their "
                   "component.", metavar="F")
]  # fmt: skip
Noise = Annotated[
    float, _option("--noise", DRAWING, "Scales the noise of what the decoder leaves out.",
                   metavar="F")
]  # fmt: skip


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def sample(
    run: Run,
    store: Store,
    assays: Annotated[
        int, _option("--assays", DRAWING, "Assays of every genotype.", metavar="N")
    ] = 6,
    larvae: Annotated[
        int, _option("--larvae", DRAWING, "Larvae of every assay; a larva is one sequence.",
                     metavar="N")
    ] = 100,
    genotypes: Annotated[
        str, _option("--genotypes", DRAWING, "Only these, separated by commas.", metavar="A,B,…")
    ] = "",
    actions: Annotated[
        str, _option("--actions", DRAWING, "Only these; else as frequent as in the recordings.",
                     metavar="A,B,…")
    ] = "",
    stimulus: Annotated[
        str, _option("--stimulus", DRAWING, "before, during, after or none; else as frequent as "
                     "in the recordings.", metavar="STATE")
    ] = "",
    prior: Prior = "mixture",
    temperature: Temperature = 0.95,
    noise: Noise = 1.0,
    seed: o.Seed = 0,
    json: o.Json = False,
) -> None:  # fmt: skip
    """Draw new trajectories from a training, and write them as a store.

    A larva is one sequence, named by what it mostly does. A store of samples is read by every
    command; how many real assays it rests on is in its covariates.
    """
    from dataclasses import asdict

    from generative.cli import print_document
    from generative.sampling.trajectories import Request, sample_store

    request = Request(assays, larvae, _names(genotypes), _names(actions), stimulus.strip(), prior,
                      temperature, noise, seed)  # fmt: skip
    report = sample_store(run, store, request, progress=True)
    if json:
        print_document({"command": "generate sample", **asdict(report)})
    else:
        typer.echo(str(report))


def diagnose(
    run: Run,
    data: Annotated[
        Path | None, _option("--data", o.DATA, "Its training set, where that is not in the folder.",
                             metavar="SEQUENCES.h5")
    ] = None,
    prior: Prior = "mixture",
    temperature: Temperature = 0.95,
    noise: Noise = 1.0,
    fold: Annotated[
        Literal["test", "validation"],
        _option("--fold", o.DATA, "Whose assays; validation to try settings."),
    ] = "test",
    most: Annotated[
        int, _option("--most", o.DATA, "Held-out sequences that are examined, at most.",
                     metavar="N")
    ] = 3000,
    permutations: Annotated[
        int, _option("--permutations", o.DATA, "Trainings on permuted genotypes, for the gate of "
                     "false positives; 20 say something. Each takes as long as the training; "
                     "finished ones are kept.", min=0, metavar="N")
    ] = 0,
    out: o.Out = None,
    seed: o.Seed = 0,
    json: o.Json = False,
) -> None:  # fmt: skip
    """Examine a training: whether it uses its latent, and its larvae are like real ones.

    On assays that the model has not seen, beside what real larvae of other assays reach.
    """
    from generative.cli import print_document
    from generative.diagnostics.diagnose import diagnose as verb
    from generative.diagnostics.write import write_diagnosis
    from larvastats.export.staging import check_writable

    if out is not None:
        check_writable(out)
    found = verb(run, data=data, kind=prior, temperature=temperature, noise=noise, fold=fold,
                 most=most, permutations=permutations, seed=seed, progress=True)  # fmt: skip
    files = (
        [] if out is None else write_diagnosis(found, out, f"larvastats generate diagnose {run}")
    )
    if json:
        print_document(found.to_json())
        return
    typer.echo(str(found))
    if files:
        typer.echo(f"\nwritten into {out}: {', '.join(path.name for path in files)}")
