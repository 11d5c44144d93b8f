"""The one place that knows where work runs, and that draws progress bars."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import InvalidStateError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text
from threadpoolctl import threadpool_limits

from larvastats.errors import DataError, UsageError

T = TypeVar("T")
R = TypeVar("R")


def track(items: Iterable[T], description: str, total: int | None, progress: bool) -> Iterator[T]:
    """Yield the items behind a progress bar on stderr; none when stderr is no terminal."""
    if not progress or not sys.stderr.isatty():
        yield from items
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield from bar.track(items, total=total, description=description)


class _Rate(ProgressColumn):
    """Items per second; blank until it is known."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.3g}/s", style="progress.data.speed")


def run(
    function: Callable[[T], R],
    tasks: Sequence[T],
    *,
    jobs: int = 1,
    description: str = "working",
    progress: bool = False,
) -> list[R]:
    """Apply a function to every task, here or in `jobs` processes; results in the tasks' order.

    Parameters
    ----------
    function : callable
        Takes one task; importable (not a closure) when ``jobs > 1``.
    tasks : sequence
        Each carries everything its result depends on, its seed included, so that results are the
        same for any number of processes.
    jobs : int
        Number of processes. Above one, a Python script must guard its own code by
        ``if __name__ == "__main__":``, since every process imports it anew.
    description : str
        Shown beside the progress bar.
    progress : bool
        Whether to draw one.

    Raises
    ------
    UsageError
        `jobs` is no whole number from one up.
    DataError
        A process was killed from outside, most often for want of memory.
    """
    if not isinstance(jobs, int) or jobs < 1:
        raise UsageError(f"jobs must be a whole number from 1 up, but is {jobs!r}.")
    jobs = min(jobs, max(1, len(tasks)))
    if jobs == 1:
        with threadpool_limits(1, user_api="blas"):
            return [function(t) for t in track(tasks, description, len(tasks), progress)]
    try:
        with _pool(jobs) as pool:
            chunk = max(1, len(tasks) // (8 * jobs))
            with _interrupts_held():
                results = pool.map(function, tasks, chunksize=chunk)
            return list(track(results, description, len(tasks), progress))
    except BrokenProcessPool as error:
        raise DataError(
            f"one of {jobs} processes ended while {description}, most often for want of memory: "
            "use fewer of them (--jobs), or a larger machine; in a Python script of your own, call "
            "it below `if __name__ == '__main__':`, for every process reads the script again."
        ) from error


@contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Open a pool; whatever ends its use early also ends its processes."""
    # spawn, not fork: the parent may hold threads (BLAS, progress bar)
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker)
    try:
        yield pool
    except BaseException:
        with _cancelled_in_peace():
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            pool.shutdown(wait=True, cancel_futures=True)
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _cancelled_in_peace() -> Iterator[None]:
    """Keep the pool's own thread quiet while its processes are ended.

    It may tell work that has been cancelled that the processes are gone, and dies of
    InvalidStateError, aloud (before Python 3.13). Nothing waits for it any more.
    """
    before = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not InvalidStateError:
            before(args)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back for a moment, and from the processes that are started meanwhile for good.

    A terminal sends it to every process: one that is still starting would die of it, aloud.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker() -> None:
    """Leave Ctrl-C, which a terminal sends to every process, to the parent; one thread each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # matrix products here are small: several threads would spend their time waiting for each other
    threadpool_limits(1, user_api="blas")
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that started it is killed; it would wait for work forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
