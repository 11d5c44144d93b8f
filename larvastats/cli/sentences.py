"""Errors as sentences on stderr, with their exit codes; a traceback is a bug."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import typer

from larvastats.errors import LarvastatsError

INTERRUPTED = 130


@contextmanager
def sentences() -> Iterator[None]:
    """Turn what may go wrong outside larvastats' own code into one sentence and an exit code."""
    for stream in (sys.stdout, sys.stderr):  # names of files may be what no terminal can show
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        yield
        sys.stdout.flush()
    except LarvastatsError as error:
        raise _fail(str(error), error.exit_code) from error
    except KeyboardInterrupt as error:
        raise _fail("interrupted.", INTERRUPTED) from error
    except MemoryError as error:
        raise _fail(
            "not enough memory; use fewer processes (--jobs), less data (--exclude) or a larger "
            "machine.",
            1,
        ) from error
    except BrokenPipeError as error:
        _abandon_stdout()
        raise _fail("the output was cut off: whoever read it stopped reading.", 1) from error
    except OSError as error:
        _abandon_stdout()
        where = f" ({error.filename})" if error.filename else ""
        raise _fail(f"reading or writing failed: {error.strerror or error}{where}.", 1) from error


def _fail(sentence: str, code: int) -> typer.Exit:
    from rich.console import Console
    from rich.text import Text

    line = Text.assemble(("error: ", "bold red"), sentence)
    with suppress(OSError):  # stderr may be closed too
        Console(stderr=True, highlight=False, soft_wrap=True).print(line)
    return typer.Exit(code)


def _abandon_stdout() -> None:
    """Send what is left for stdout nowhere, so that Python does not fail again on leaving."""
    with suppress(io.UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
