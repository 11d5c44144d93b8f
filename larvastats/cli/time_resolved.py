"""``larvastats transitions --show dwell|order|homogeneity``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from larvastats.cli import options as o
from larvastats.errors import UsageError

EXAMPLES = (
    "larvastats transitions --show dwell --genotypes GMR_72F11_AE_01 --windows before,during",
    "larvastats transitions --show order --genotypes FCF_attP2_1500062 --windows during",
    "larvastats transitions --show homogeneity --genotypes GMR_72F11_AE_01 --windows each",
)

Show = Annotated[
    Literal["matrices", "dwell", "order", "homogeneity"],
    typer.Option(
        "--show",
        rich_help_panel=o.TEST,
        help="The matrices; how long states last, against the control (dwell); whether the next "
        "action depends on the present one alone (order) or on when (homogeneity), of one "
        "genotype.",
    ),
]


def run(
    what: str,
    source: Any,
    *,
    genotypes: str | None,
    windows: str | None,
    control: str | None,
    transitions: str,
    dt: float,
    seed: int,
    out: Path | None,
    figures: bool,
    json: bool,
    **more: Any,
) -> None:
    """Call the verb, print, write."""
    from larvastats import export
    from larvastats.cli import show

    if what != "homogeneity" and transitions != "jump":
        raise UsageError(f"--show {what} looks at bouts; leave --transitions {transitions} out.")
    if what != "dwell" and control is not None:
        raise UsageError(f"--show {what} looks at one genotype; leave --control out.")
    if what == "dwell":
        from larvastats.verbs.dwell import dwell

        result: Any = dwell(source, genotypes=genotypes, windows=windows, control=control,
                            seed=seed, **more)  # fmt: skip
        tables = {"dwell": result.table, "fits": result.fits, "curves": result.curves,
                  "tests": result.tests, "cells": result.cells, "units": result.units}  # fmt: skip
        known = list(dict.fromkeys(result.table["window"]))
        pictures = {
            "survival" if len(known) == 1 else f"survival_{export.file_name(str(w))}": partial(
                result.plot, window=w
            )
            for w in known
        }
    elif what == "order":
        from larvastats.verbs.order_test import order_test

        result = order_test(source, _one(genotypes), window=windows, seed=seed, **more)
        tables = {"triples": result.table, "larvae": result.larvae, "units": result.units}
        pictures = {"triples": result.plot}
    else:
        from larvastats.verbs.homogeneity_test import homogeneity_test

        result = homogeneity_test(source, _one(genotypes), windows=windows, seed=seed,
                                  transitions=transitions, dt=dt, **more)  # fmt: skip
        tables = {"homogeneity": result.tidy(), "units": result.units}
        pictures = {}
    files = []
    if out is not None:
        drawn = pictures if figures else {}
        files = export.write_tables(result, out, tables, drawn, command=o.command_line())
    if json:
        show.json_document("transitions", result, files)
    else:
        typer.echo(repr(result))
        show.files(files)


def _one(genotypes: str | None) -> str | None:
    """Return the only genotype that was named."""
    if genotypes is not None and "," in genotypes:
        raise UsageError(
            f"--genotypes names several ({genotypes}), but one genotype is tested at a time."
        )
    return genotypes
