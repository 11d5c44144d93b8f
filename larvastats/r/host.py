"""R inside this process: found, started, or refused in one sentence with the remedy."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from larvastats.errors import DataError

PINNED = "rpy2==3.6.5 rpy2-rinterface==3.6.5 rpy2-robjects==3.6.5"
"""The three parts of rpy2 that are tested, with R 4.2; newer ones ask for R 4.5 or later."""


@cache
def rinterface(options: tuple[str, ...] = (), interactive: bool = True) -> Any:
    """Return ``rpy2.rinterface`` with R running.

    Parameters
    ----------
    options : tuple of str
        Words of R's command line, such as ``--no-save``; of the first call only.
    interactive : bool
        What R's ``interactive()`` says; of the first call only.

    Returns
    -------
    module

    Raises
    ------
    DataError
        R or rpy2 is missing, or they do not fit together.
    """
    try:
        import rpy2.rinterface as ri
        from rpy2.rinterface_lib import embedded

        if options and not embedded.isinitialized():
            embedded.set_initoptions(tuple(map(_Word, options)))
        with _libraries_kept():
            ri.initr(interactive=interactive)
    except (ImportError, AttributeError, OSError, RuntimeError, ValueError) as error:
        raise DataError(why_not(error)) from error
    except Exception as error:  # cffi's own, of a library that lacks a symbol
        if "symbol" not in str(error):
            raise
        raise DataError(why_not(error)) from error
    return ri


@contextmanager
def _libraries_kept() -> Iterator[None]:
    """Keep the search path of libraries; with R's, more processes of Python may not start."""
    name = "LD_LIBRARY_PATH"
    before = os.environ.get(name)
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before


class _Word(str):
    """A word for R's command line; rpy2 would have it in ASCII."""

    def encode(self, *_: Any) -> bytes:
        return str.encode(self, "utf-8", "surrogateescape")


def why_not(error: BaseException) -> str:
    """Say why R cannot run in this process, and what to do.

    Parameters
    ----------
    error : exception
        What the import of rpy2 or the start of R raised.
    """
    said = " ".join(str(error).split())
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] == "rpy2":
        return (
            "R inside Python needs rpy2, which is not installed; with R on the PATH, pip install "
            f"'larvastats[r]', and for R before 4.5 also {PINNED}."
        )
    version = r_version()
    if version is None:
        return (
            "R was not found; install R 4.0 or later (Debian: apt-get install r-base), put it on "
            "the PATH or set R_HOME, and try again."
        )
    return (
        f"rpy2 {rpy2_version()} does not fit R {version} ({said}); install its three parts alike: "
        f"for R before 4.5, pip install --no-binary rpy2-rinterface {PINNED}, for later ones the "
        "newest; R must be on the PATH meanwhile."
    )


def r_version() -> str | None:
    """Return the version of the R on the PATH; None if there is none."""
    program = shutil.which("R")
    if program is None:
        return None
    done = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=False, timeout=60
    )
    words = done.stdout.split()
    return words[2] if done.returncode == 0 and len(words) > 2 else None


def rpy2_version() -> str:
    """Return the version of rpy2's interface to R, in words if there is none."""
    from importlib import metadata

    try:
        return metadata.version("rpy2-rinterface")
    except metadata.PackageNotFoundError:
        return "(of unknown version)"
