"""Commands that other packages add to ``larvastats``, found but not imported until called.

A package adds a command with an entry point of the group ``larvastats.commands`` that names
a ``typer.Typer``; larvastats adds its own ``generate`` in the same way. Looking for commands
imports none of them, so ``larvastats --help`` stays fast and a broken plug-in breaks only itself.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points, packages_distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from larvastats.errors import DataError

GROUP = "larvastats.commands"
OWN_DISTRIBUTION = "larvastats"
# Our packages name larvastats in the docstring of their __init__.py. Where a package lies says
# nothing: two wheels that own one import name are unpacked over each other into one folder.
OWN_MARK = "larvastats"
SUMMARIES = {"generate": "Generative models of larva trajectories."}


def load_commands() -> dict[str, typer.Typer]:
    """
    Find the commands that installed packages add to ``larvastats``.

    Returns
    -------
    dict of str to typer.Typer
        Command name to an application for ``app.add_typer``, in alphabetical order. Each one
        imports its package when it is called (its ``--help`` included). Where two distributions
        add one name, that of larvastats wins, then the first in alphabetical order.

    Notes
    -----
    Calling a command raises ``DataError`` when its package cannot be imported, or when another
    distribution owns the import name of one of our packages.
    """
    commands: dict[str, typer.Typer] = {}
    for entry in sorted(entry_points(group=GROUP), key=_precedence):
        commands.setdefault(entry.name, _deferred(entry))
    return commands


def _precedence(entry: EntryPoint) -> tuple[str, bool, str]:
    distribution = _distribution(entry)
    return entry.name, distribution != OWN_DISTRIBUTION, distribution


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else ""


def _deferred(entry: EntryPoint) -> typer.Typer:
    """Wrap `entry` in an application that hands its context to the real one when called."""

    class DeferredGroup(TyperGroup):
        def make_context(self, *args: Any, **kwargs: Any) -> Any:
            return get_command(_load(entry)).make_context(*args, **kwargs)

    summary = SUMMARIES.get(entry.name, f"Added by {_distribution(entry)}.")
    app = typer.Typer(name=entry.name, cls=DeferredGroup, help=summary, add_completion=False)
    # Typer builds no group without a callback or a command.
    app.callback()(_never_called)
    return app


def _never_called() -> None:
    """Stand where the real callback will: the context made by DeferredGroup has its own."""


def _load(entry: EntryPoint) -> typer.Typer:
    """Import the application that `entry` names; ``DataError`` when that cannot be done."""
    if _distribution(entry) == OWN_DISTRIBUTION:
        _check_ours(entry)
    try:
        app = entry.load()
    except (ImportError, AttributeError) as error:
        raise DataError(
            f"The command {entry.name} needs {entry.value} of the distribution "
            f"{_distribution(entry)}, which cannot be imported ({error}): "
            f"install or update that distribution, or uninstall it."
        ) from error
    if not isinstance(app, typer.Typer):
        raise DataError(
            f"The command {entry.name} of the distribution {_distribution(entry)} must name "
            f"a typer.Typer, but {entry.value} is a {type(app).__name__}: uninstall it or "
            f"tell its authors."
        )
    return app


def _check_ours(entry: EntryPoint) -> None:
    """Raise ``DataError`` unless the package that `entry` would import is one of ours."""
    package = entry.module.partition(".")[0]
    spec = find_spec(package)
    if spec is None:
        raise DataError(
            f"The command {entry.name} needs the import package {package} of larvastats, which "
            f"is not installed: reinstall larvastats (pip install --force-reinstall larvastats)."
        )
    places = [Path(place) for place in spec.submodule_search_locations or []]
    if any(_is_marked(place / "__init__.py") for place in places):
        return
    found = str(places[0]) if places else str(spec.origin)
    raise DataError(
        f"The command {entry.name} needs the import package {package} of larvastats, but found "
        f"another one in {found}: {_remedy(package)}, then reinstall larvastats "
        f"(pip install --force-reinstall larvastats)."
    )


def _is_marked(init: Path) -> bool:
    return init.is_file() and OWN_MARK in init.read_text(encoding="utf-8", errors="replace")


def _remedy(package: str) -> str:
    """Say how to get rid of the foreign `package`."""
    owners = sorted(set(packages_distributions().get(package, ())) - {OWN_DISTRIBUTION})
    if not owners:
        return "it belongs to no installed distribution, so rename or remove it"
    return f"uninstall the distribution that owns it (pip uninstall {' '.join(owners)})"
