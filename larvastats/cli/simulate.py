"""``larvastats simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from larvastats.cli import options as o

EXAMPLES = (
    "larvastats simulate my_screen --lines 24 --assays-per-line 6",
    "larvastats simulate puffs --protocol p_8_45s1x30s0s#p_8_105s10x2s10s#n#n --format trx",
    "larvastats simulate known --effects effects.toml --seed 7",
)

DESIGN = "Experiment"


def _option(flag: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, rich_help_panel=DESIGN, help=text, **more)


def simulate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; new or empty.")],
    protocol: Annotated[
        str | None, _option("--protocol", "Stimulus protocol; a light screen by default.")
    ] = None,
    lines: Annotated[int, _option("--lines", "Lines beside the control.", metavar="N")] = 12,
    assays_per_line: Annotated[
        int, _option("--assays-per-line", "Plates of each line.", metavar="N")
    ] = 6,
    larvae: Annotated[int, _option("--larvae", "Larvae per plate, about.", metavar="N")] = 30,
    effects: Annotated[
        Path | None,
        _option("--effects", "Known effects: TOML with tables of line, kind, from, to, window, "
                "delta.", metavar="FILE"),
    ] = None,
    format: Annotated[
        Literal["tidy", "trx"], _option("--format", "Tidy tables, or a database of trx.mat.")
    ] = "tidy",
    seed: o.Seed = 0,
) -> None:  # fmt: skip
    """Make recordings with known effects, and truth.json that says which."""
    from larvastats.verbs import simulate as verb

    path = verb.simulate(
        directory,
        protocol=protocol,
        lines=lines,
        assays_per_line=assays_per_line,
        larvae=larvae,
        effects=effects,
        format=format,
        seed=seed,
        progress=True,
    )
    typer.echo(f"simulated recordings in {path}; what is true of them in truth.json beside them")
