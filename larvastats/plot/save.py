"""Write a figure as png and svg, the same bytes for the same figure."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from larvastats.errors import DataError

PNG_DPI = 150

# matplotlib dates its svg files and signs both kinds with its version, unless told otherwise.
METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Creator": "larvastats", "Date": None},
}


def save_figure(figure: Figure, stem: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write ``<stem>.png`` (150 dpi) and ``<stem>.svg``, each complete or not at all.

    Parameters
    ----------
    figure : Figure
    stem : path
        Path without suffix; its directory is made if need be. A dot in the name stays.

    Returns
    -------
    tuple of two Path
        The png and the svg.

    Raises
    ------
    DataError
        If a file cannot be written; one that was there before is then left as it was.
    """
    stem = Path(stem)
    png, svg = (stem.with_name(f"{stem.name}.{kind}") for kind in METADATA)
    with mpl.rc_context({"svg.hashsalt": "larvastats", "svg.fonttype": "path"}):
        for path, kind in ((png, "png"), (svg, "svg")):
            _write(figure, path, kind)
    return png, svg


def _write(figure: Figure, path: Path, kind: str) -> None:
    """Write under a temporary name in the same directory, then rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(temporary, format=kind, dpi=PNG_DPI, metadata=METADATA[kind])
        os.replace(temporary, path)
    except OSError as error:
        raise DataError(
            f"The picture {path} could not be written ({error.strerror or error}); expected a "
            "directory with permission and room to write: free some, or choose another one."
        ) from error
    finally:
        with suppress(OSError):  # nothing to remove, and the error above says why
            temporary.unlink()
