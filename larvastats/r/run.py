"""Scripts of R with ``larvastats`` in their workspace, run inside this process."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from larvastats.errors import DataError, LarvastatsError, UsageError
from larvastats.r import bridge
from larvastats.r.host import rinterface

_RUN = """
function(script) {
  if (getOption("warn") == 0) options(warn = 1)
  tell <- function(condition) {
    call <- conditionCall(condition)
    list(class = class(condition), message = conditionMessage(condition),
         call = if (is.null(call)) NULL else paste(deparse(call, nlines = 1L), collapse = ""),
         package = condition$package)
  }
  tryCatch({
    source(script, local = globalenv(), print.eval = TRUE, keep.source = FALSE, encoding = "UTF-8")
    NULL
  }, error = tell, interrupt = tell)
}
"""


def run(script: str | os.PathLike[str], arguments: Sequence[str] = ()) -> None:
    """Run a script of R; what it prints appears as R would print it.

    Parameters
    ----------
    script : path
    arguments : sequence of str
        What ``commandArgs(trailingOnly = TRUE)`` gives in R.

    Raises
    ------
    UsageError
        There is no such file, or a call in it was wrong.
    DataError
        R or rpy2 is missing or do not fit, or the script ended with an error.
    KeyboardInterrupt
        Somebody stopped it.
    """
    path = Path(script)
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file; expected a script of R.")
    words = ("R", "--no-echo", "--no-save", "--no-restore", f"--file={path}")
    ri = rinterface((*words, "--args", *arguments) if arguments else words, interactive=False)
    _speak_plainly()
    bridge.provide()
    with _interrupts():
        found = ri.evalr(_RUN.strip())(ri.StrSexpVector([str(path)]))
    sys.stdout.flush()
    if found is not ri.NULL:
        raise _failure(path, {name: list(v) for name, v in zip(found.names, found, strict=True)
                              if v is not ri.NULL})  # fmt: skip


def _failure(path: Path, condition: dict[str, list[str]]) -> BaseException:
    """Return the error for a condition with which R ended a script."""
    classes = condition["class"]
    if "interrupt" in classes or "larva_interrupt_error" in classes:
        return KeyboardInterrupt()
    message = condition["message"][0].strip()
    if "larva_error" in classes:
        kind = UsageError if "larva_usage_error" in classes else DataError
        return kind(message)
    if "packageNotFoundError" in classes:
        name = condition["package"][0]
        return DataError(
            f"{path} needs the R package {name}, which is not installed; in R: "
            f"install.packages({name!r}), or Debian's r-cran-{name.lower()}."
        )
    where = f" in {condition['call'][0]}" if "call" in condition else ""
    return _ScriptError(f"{path} was ended by R{where}: {message}")


class _ScriptError(LarvastatsError):
    """An error of R's own in somebody's script."""


def _speak_plainly() -> None:
    """Let R write to stdout and stderr without ornament, and leave when it says ``quit()``."""
    from rpy2.rinterface_lib import callbacks

    callbacks.consolewrite_print = _write_out
    callbacks.consolewrite_warnerror = _write_err
    callbacks.cleanup = _leave


def _write_out(text: str) -> None:
    sys.stdout.write(text)


def _write_err(text: str) -> None:
    sys.stdout.flush()  # in the order in which R said it
    sys.stderr.write(text)
    sys.stderr.flush()


def _leave(save: Any, status: int, run_last: int) -> None:
    from rpy2.rinterface_lib import openrlib

    sys.stdout.flush()
    openrlib.rlib.R_CleanTempDir()
    os._exit(status)


@contextmanager
def _interrupts() -> Iterator[None]:
    """Bring Ctrl-C to R while R computes, and to Python while a verb does.

    Python's own handler runs between two of its instructions, and there are none while R computes;
    but the byte that a signal sends to the wakeup descriptor arrives at once, and a thread that
    waits for it tells R, which looks for interrupts by itself.
    """
    if threading.current_thread() is not threading.main_thread() or os.name == "nt":
        yield
        return
    from rpy2.rinterface_lib import openrlib

    arrived, sent = os.pipe()
    os.set_blocking(sent, False)

    def watch() -> None:
        while byte := os.read(arrived, 1):
            if byte[0] == signal.SIGINT and not bridge.is_answering():
                openrlib.rlib.R_interrupts_pending = 1

    def handle(*_: Any) -> None:
        if bridge.is_answering():
            raise KeyboardInterrupt

    before, descriptor = signal.signal(signal.SIGINT, handle), signal.set_wakeup_fd(sent)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor)
        signal.signal(signal.SIGINT, before)
        os.close(sent)  # ends the watcher
        watcher.join()
        os.close(arrived)
        openrlib.rlib.R_interrupts_pending = 0  # one that came late would end R as it leaves
