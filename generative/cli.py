"""The commands of ``larvastats generate``; an entry point plugs ``app`` into larvastats."""

from __future__ import annotations

import typer

from generative import __version__

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def generate() -> None:
    """Learn and draw larva trajectories (not in this version).

    Later releases bring generative models that learn from recordings, draw new trajectories
    and are judged by the same tests as real larvae.
    """
    typer.echo(
        f"larvastats {__version__} ships no generative model yet: "
        "they come with a later release, everything else works without them.",
        err=True,
    )
    raise typer.Exit(1)
