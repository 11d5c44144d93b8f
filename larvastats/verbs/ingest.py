"""Read recordings into a store, once, so that every later analysis starts at once."""

from __future__ import annotations

from larvastats.io.files import AnyPath
from larvastats.io.ingest import IngestReport
from larvastats.io.ingest import ingest as ingest_files
from larvastats.shape.kinematics import SMOOTH


def ingest(
    source: AnyPath,
    store: AnyPath,
    *,
    format: str = "auto",
    labels: str = "large",
    min_bout: float = 0.0,
    fps: float | None = None,
    px_per_mm: float | None = None,
    keep: str = "features",
    filter: str = "default",
    smooth: float = SMOOTH,
    exclude: AnyPath | None = None,
    jobs: int = 1,
    progress: bool = False,
) -> IngestReport:
    """Read recordings into a store, which is then a source of every other verb.

    Killed at any moment, the store stays valid, and the same call goes on from there. A recording
    that is in the store already, and has not changed, is not read again; one that has changed
    replaces what was there. A recording that cannot be read is named with its reason, in the
    index too, and tried again next time. Recordings that are gone from disk stay in the store.

    Parameters
    ----------
    source : path
        A database directory, or one recording.
    store : path
        A store, or a directory that is new or empty. Only one ingest writes a store at a time.
    format, labels, min_bout, fps, px_per_mm
        As :func:`larvastats.io.source.load`. Recordings that are in the store and were read with
        other options are read again.
    keep : {'features', 'bouts', 'midline', 'contour'}
        What to keep of a recording: bouts alone; also series, those of the tracker and those of
        :mod:`larvastats.shape.kinematics`, such as speed and length; also midlines; also outlines,
        by far the largest.
    filter : str
        Which frames are bad: ``default``, or what differs from it, such as
        ``threshold=0.002,share=0.1`` (see :class:`larvastats.shape.quality.Filter`). Verdicts
        become series too, and kinematics leave out frames that are bad or in a sequence that is
        dropped; bouts stay as they are. ``none``: no frame is judged, and outlines, which take most
        of the time, are read only where they are to be kept.
    smooth : float
        Seconds of the window from which velocities are taken; 0: from neighbouring frames.
    exclude : path, optional
        List of assays, as :func:`larvastats.io.source.load` takes it; assays of `source` on it
        leave the store.
    jobs : int
        Processes; the store is the same byte for byte for any number of them.
    progress : bool
        Draw a progress bar on stderr.

    Returns
    -------
    IngestReport

    Raises
    ------
    UsageError
        No such source, a directory that holds something else than a store, or a wrong option.
    DataError
        Another ingest is writing this store, or it cannot be written (a full disk): what it held
        is as it was.
    """
    return ingest_files(
        source, store, format=format, labels=labels, min_bout=min_bout, fps=fps,
        px_per_mm=px_per_mm, keep=keep, filter=filter, smooth=smooth, exclude=exclude, jobs=jobs,
        progress=progress,
    )  # fmt: skip
