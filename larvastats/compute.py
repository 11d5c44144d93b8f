"""The one place that knows where work runs, and that draws progress bars."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from larvastats.errors import UsageError

T = TypeVar("T")
R = TypeVar("R")


def track(items: Iterable[T], description: str, total: int | None, progress: bool) -> Iterator[T]:
    """Yield the items behind a progress bar on stderr; none when stderr is no terminal."""
    if not progress or not sys.stderr.isatty():
        yield from items
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield from bar.track(items, total=total, description=description)


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
        Number of processes.
    description : str
        Shown beside the progress bar.
    progress : bool
        Whether to draw one.

    Raises
    ------
    UsageError
        `jobs` below one.
    """
    if jobs < 1:
        raise UsageError(f"--jobs must be at least 1, but is {jobs}.")
    jobs = min(jobs, max(1, len(tasks)))
    if jobs == 1:
        return [function(t) for t in track(tasks, description, len(tasks), progress)]
    # spawn, not fork: the parent may hold threads (BLAS, progress bar)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        chunk = max(1, len(tasks) // (8 * jobs))
        results = pool.map(function, tasks, chunksize=chunk)
        return list(track(results, description, len(tasks), progress))
