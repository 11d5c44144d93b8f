"""The command line: parse, call one verb, print. No statistics here.

Verbs, and with them the heavy libraries, are imported inside the commands: ``--help`` is instant.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from larvastats import __version__
from larvastats.cli.calibrate import EXAMPLES as CALIBRATE_EXAMPLES
from larvastats.cli.calibrate import calibrate
from larvastats.cli.compare import EXAMPLES as COMPARE_EXAMPLES
from larvastats.cli.compare import CompareCommand, compare
from larvastats.cli.habituation import EXAMPLES as HABITUATION_EXAMPLES
from larvastats.cli.habituation import habituation
from larvastats.cli.info import EXAMPLES as INFO_EXAMPLES
from larvastats.cli.info import info
from larvastats.cli.ingest import EXAMPLES as INGEST_EXAMPLES
from larvastats.cli.ingest import ingest
from larvastats.cli.power import EXAMPLES as POWER_EXAMPLES
from larvastats.cli.power import power
from larvastats.cli.screen import EXAMPLES as SCREEN_EXAMPLES
from larvastats.cli.screen import screen
from larvastats.cli.sentences import sentences
from larvastats.cli.simulate import EXAMPLES as SIMULATE_EXAMPLES
from larvastats.cli.simulate import simulate
from larvastats.cli.timecourse import EXAMPLES as TIMECOURSE_EXAMPLES
from larvastats.cli.timecourse import timecourse
from larvastats.cli.transitions import EXAMPLES as TRANSITIONS_EXAMPLES
from larvastats.cli.transitions import transitions
from larvastats.plugins import load_commands


class Commands(TyperGroup):
    """The commands, those of plug-ins included: every error meant for people is a sentence."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        with sentences():
            return super().invoke(ctx)


app = typer.Typer(
    name="larvastats",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"larvastats {__version__}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version",
        callback=_print_version,
        is_eager=True,
        metavar=" ",
        help="Print the version and leave.",
    ),
]


@app.callback(
    help="Which genotypes change behaviour, how, when, and how sure are we?\n\n"
    "Honest statistics for behaviour screens of larvae: plates and dates are the replicates, never "
    "animals or video frames.",
    epilog="[bold]Start here[/bold]\n\n"
    "$ larvastats screen --out results/demo   [dim]the built-in example[/dim]\n\n"
    "$ larvastats info my_database            [dim]what can this experiment show?[/dim]\n\n"
    "Exit codes: 0 done, 1 the data do not allow it, 2 wrong usage.",
)
def root(version: Version = False) -> None:
    """Answer ``--version``; everything else is a command."""


def _examples(lines: tuple[str, ...]) -> str:
    return "[bold]Examples[/bold]\n\n" + "\n\n".join(f"$ {line}" for line in lines)


app.command(epilog=_examples(SCREEN_EXAMPLES))(screen)
app.command(epilog=_examples(COMPARE_EXAMPLES), cls=CompareCommand)(compare)
app.command(epilog=_examples(TRANSITIONS_EXAMPLES))(transitions)
app.command(epilog=_examples(HABITUATION_EXAMPLES))(habituation)
app.command(epilog=_examples(TIMECOURSE_EXAMPLES))(timecourse)
app.command(epilog=_examples(INGEST_EXAMPLES))(ingest)
app.command(epilog=_examples(INFO_EXAMPLES))(info)
app.command(epilog=_examples(CALIBRATE_EXAMPLES))(calibrate)
app.command(epilog=_examples(POWER_EXAMPLES))(power)
app.command(epilog=_examples(SIMULATE_EXAMPLES))(simulate)

for _name, _plugin in load_commands().items():
    app.add_typer(_plugin, name=_name)


def main() -> None:
    """Run ``larvastats``."""
    app(prog_name="larvastats")
