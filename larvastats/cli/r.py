"""``larvastats r``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from larvastats.errors import UsageError

EXAMPLES = (
    "larvastats r analysis.R",
    "larvastats r analysis.R my_database --alpha 0.01   [dim]commandArgs() has them[/dim]",
    "larvastats r --file                                [dim]what RStudio sources[/dim]",
)

Script = Annotated[
    Path | None,
    typer.Argument(metavar="SCRIPT.R", help="A script of R.", show_default=False),
]
Arguments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ARGS",
        help="What commandArgs(trailingOnly = TRUE) gives in it.",
        show_default=False,
    ),
]
File = Annotated[
    bool,
    typer.Option(
        "--file",
        help="Print where larvastats.R is, and leave: source() it in R sessions of their own, such "
        "as RStudio's.",
    ),
]
Answer = Annotated[Path | None, typer.Option("--answer", hidden=True, metavar="FOLDER")]


def r(
    script: Script = None, arguments: Arguments = None, file: File = False, answer: Answer = None
) -> None:
    """Run a script of R that has all verbs in the object larvastats."""
    if file:
        from larvastats.r.files import R_FILE

        typer.echo(R_FILE)
    elif answer is not None:
        from larvastats.r.files import answer_folder

        answer_folder(answer)
    elif script is None:
        raise UsageError("expected a script of R; name one: larvastats r SCRIPT.R.")
    else:
        from larvastats.r.run import run

        run(script, arguments or ())
