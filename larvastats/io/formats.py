"""Formats of recordings: how each is known, and what it holds, be it actions, shapes or both.

A further format is one more entry in :data:`READERS`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from larvastats.errors import UsageError
from larvastats.ethogram import Ethogram
from larvastats.io import choreography, fimtrack, frame_series, larvatagger, schleyer, tidy, trx
from larvastats.io.exclusion import Exclusion, read_exclusion
from larvastats.io.files import AnyPath
from larvastats.io.labelling import NoLabelsError
from larvastats.io.labels import Labels, choose_labels, from_beside, from_elsewhere
from larvastats.io.paths import AssayIdentity, printable_path
from larvastats.io.recordings import ANY, Recording, gather, single
from larvastats.io.tracks import Shape, Tracks
from larvastats.io.unlabelled import without_actions

Identity = AssayIdentity | None
"""What the path says of a recording."""

Shapes = Sequence[Shape]

_ENDINGS = re.compile(
    r"(?:\.(?:csv|tsv|txt|spine|outline|labels?|nyxlabel|json|mat))?(?:\.gz)?$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Options:
    """How to read; checked once, before anything is opened."""

    format: str
    labels: Labels
    fps: float | None
    px_per_mm: float | None
    exclusion: Exclusion | None
    progress: bool
    unlabelled: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """What a recording holds.

    Attributes
    ----------
    ethogram : Ethogram or None
        What its larvae did; None where nothing says it.
    tracks : tuple of Tracks
        Shapes, one entry per assay; empty where the format has none or none were asked for.
    notes : tuple of str
    named_after : {'', 'file', 'folder'}
        After what the line is named where nothing says its name.
    """

    ethogram: Ethogram | None
    tracks: tuple[Tracks, ...] = ()
    notes: tuple[str, ...] = ()
    named_after: Literal["", "file", "folder"] = ""


@dataclass(frozen=True, slots=True)
class Reader:
    """A format of recordings.

    Attributes
    ----------
    name : str
    sniff : callable
        Whether the content of a file is of this format.
    endings : tuple of str
        Names of files that are meant to be of this format, whatever their content.
    ethogram : callable or None
        Actions, of a recording, options and the identity that the path gives; None for formats
        without any.
    tracks : callable or None
        Shapes, of the same, the kinds of shape asked for, and whether the frames are to have the
        recording's own labels; None for formats without any.
    identities : callable or None
        Who is in a recording of shapes, without reading them.
    series : callable or None
        Series of numbers by their names, of a recording and the identity that the path gives; None
        for formats whose series come with `tracks`, or not at all.
    depends_on : tuple of str
        Names of the options that change what is read.
    line_from : {'content', 'file', 'folder'}
        What names the line where no path of a database does.
    """

    name: str
    sniff: Callable[[AnyPath], bool]
    endings: tuple[str, ...]
    ethogram: Callable[[Recording, Options, Identity], Ethogram] | None
    tracks: Callable[[Recording, Options, Identity, Shapes, bool], tuple[Tracks, ...]] | None
    identities: Callable[[Recording, Options, Identity], Sequence[AssayIdentity]] | None
    depends_on: tuple[str, ...]
    line_from: Literal["content", "file", "folder"] = "content"
    series: Callable[[Recording, Identity, Sequence[str]], Iterable[Tracks]] | None = None

    @property
    def takes_labels(self) -> bool:
        """Whether labels from elsewhere can be about its recordings."""
        return self.tracks is not None


def _trx_tracks(
    recording: Recording, options: Options, identity: Identity, shapes: Shapes, own_labels: bool
) -> tuple[Tracks, ...]:
    labels = options.labels.own if own_labels else None
    return trx.read_tracks(recording.first, labels, shapes=shapes, identity=identity)


def _fimtrack_tracks(
    recording: Recording, options: Options, identity: Identity, shapes: Shapes, own_labels: bool
) -> tuple[Tracks, ...]:
    tracks = fimtrack.read_tracks(
        recording.first, fps=options.fps, px_per_mm=options.px_per_mm, identity=identity
    )
    return (tracks.only(shapes),)


def _choreography_tracks(
    recording: Recording, options: Options, identity: Identity, shapes: Shapes, own_labels: bool
) -> tuple[Tracks, ...]:
    outlines = "contour" in shapes
    return (choreography.read(recording.first, identity=identity, outlines=outlines),)


def _schleyer_tracks(
    recording: Recording, options: Options, identity: Identity, shapes: Shapes, own_labels: bool
) -> tuple[Tracks, ...]:
    return (schleyer.read(recording.first, identity=identity).only(shapes),)


READERS: tuple[Reader, ...] = (
    Reader(
        "trx", trx.sniff, (".mat",),
        lambda r, o, i: trx.read(r.first, o.labels.own, identity=i),
        _trx_tracks,
        lambda r, o, i: trx.identities(r.first, identity=i),
        ("labels",),
        series=lambda r, i, names: trx.read_tracks(
            r.first, None, shapes=("features",), features=names, identity=i),
    ),
    Reader(
        "fimtrack", fimtrack.sniff, (),
        lambda r, o, i: fimtrack.read(r.first, fps=o.fps, identity=i),
        _fimtrack_tracks,
        lambda r, o, i: [fimtrack.identity_of(r.first, i)],
        ("labels", "fps", "px_per_mm"), "file",
    ),
    Reader(
        "choreography", choreography.sniff, (".spine", ".outline", ".spine.gz", ".outline.gz"),
        None, _choreography_tracks,
        lambda r, o, i: [choreography.identity_of(r.first, i)],
        ("labels",), "file",
    ),
    Reader(
        "schleyer", schleyer.sniff, (),
        None, _schleyer_tracks,
        lambda r, o, i: [schleyer.identity_of(r.first, i)],
        ("labels",), "folder",
    ),
    Reader(
        "larvatagger", larvatagger.sniff, larvatagger.ENDINGS[:1] + larvatagger.ENDINGS[1:3],
        lambda r, o, i: larvatagger.read(r.first, identity=i, own_line=_name_of(r)),
        None, None, (), "file",
    ),
    Reader(
        "tidy", tidy.sniff, (".csv", ".csv.gz", ".tsv", ".tsv.gz", *tidy.PARQUET_SUFFIXES),
        lambda r, o, i: tidy.read(r.first, identity=i),
        None, None, ("exclude",),
        series=lambda r, i, names: frame_series.read_frames(r.first, names, i),
    ),
)  # fmt: skip
"""Formats, in the order in which they are tried; the more telling content comes first."""

FORMATS = ("auto", *(reader.name for reader in READERS))


def check_options(
    format: str,
    labels: str,
    fps: float | None,
    px_per_mm: float | None,
    exclude: AnyPath | None,
    progress: bool,
    unlabelled: bool = False,
) -> Options:
    """Check how to read, before anything is opened; parameters as :func:`larvastats.load`.

    Raises
    ------
    UsageError
        A choice that is none, or a rate or scale that is not positive.
    DataError
        The list of assays to leave out cannot be read.
    """
    if format not in FORMATS:
        raise UsageError(f"--format must be one of {', '.join(FORMATS)}, but is {format!r}.")
    for name, value in (("--fps", fps), ("--px-per-mm", px_per_mm)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise UsageError(f"{name} must be a positive number, but is {value}.")
    exclusion = None if exclude is None else read_exclusion(exclude)
    chosen = choose_labels(labels)
    return Options(format, chosen, fps, px_per_mm, exclusion, progress, unlabelled)


# -- which format ----------------------------------------------------------------------------------


def recordings_in(files: Sequence[Path]) -> list[Recording]:
    """Put files together to recordings, in the order of their paths."""
    return gather(files, _takes_labels)


def recording_of(path: AnyPath) -> Recording:
    """Return the recording that a file opens, with what lies beside it."""
    return single(Path(path), _takes_labels)


def _takes_labels(file: Path) -> bool:
    return any(reader.takes_labels and reader.sniff(file) for reader in READERS)


def choose_reader(options: Options) -> Callable[[Recording], Reader | None]:
    """Make the function that picks a recording's reader by content, else by its ending."""
    readers = [r for r in READERS if options.format in ("auto", r.name)]

    def choose(recording: Recording) -> Reader | None:
        name = recording.first.name.casefold()
        by_content = next((reader for reader in readers if reader.sniff(recording.first)), None)
        if by_content is not None:
            return by_content
        # its reader will say what is wrong with it
        return next((r for r in readers if r.endings and name.endswith(r.endings)), None)

    return choose


# -- what it holds ---------------------------------------------------------------------------------


def read_recording(
    recording: Recording,
    reader: Reader,
    options: Options,
    identity: Identity,
    shapes: Sequence[Shape] | None = None,
) -> Content:
    """Read a recording.

    Parameters
    ----------
    recording : Recording
    reader : Reader
    options : Options
    identity : AssayIdentity or None
        What its path says.
    shapes : sequence of {'midline', 'contour', 'features'}, optional
        Kinds of shape to read; by default only the actions, without a look at the shapes.

    Returns
    -------
    Content

    Raises
    ------
    UsageError
        An option that this format needs is missing.
    DataError
        The recording is damaged, or holds neither actions nor the shapes asked for.
    """
    actions = _actions(recording, reader, options, identity)
    ethogram, notes = actions.ethogram, actions.notes
    tracks: tuple[Tracks, ...] = ()
    if shapes is not None and reader.tracks is not None:
        tracks = reader.tracks(recording, options, identity, shapes, not actions.foreign)
        tracks = tuple(replace(part, identity=_named(part.identity, recording)) for part in tracks)
        if ethogram is not None and actions.foreign:
            tracks = tuple(part.with_states(ethogram) for part in tracks)
        notes += tuple(note for part in tracks for note in part.notes)
    if ethogram is None and not tracks:
        raise NoLabelsError(
            " ".join(notes)
            or f"{recording.path}: the recording holds shapes but no actions; put a label file "
            "beside it, name labels by --labels FILE, or keep its shapes by --keep features."
        )
    lines = (
        {part.identity.line for part in tracks} if ethogram is None else set(ethogram.assays.line)
    )
    return Content(ethogram, tracks, notes, _named_after(recording, reader, identity, lines))


def read_unlabelled(
    recording: Recording, reader: Reader, options: Options, identity: Identity
) -> Content:
    """Read who is in a recording that holds no actions, and when; errors as `read_recording`."""
    tracks = tuple(read_series(recording, reader, options, identity, ()))
    notes = tuple(note for part in tracks for note in part.notes)
    lines = {part.identity.line for part in tracks}
    after = _named_after(recording, reader, identity, lines)
    return Content(without_actions(tracks), (), notes, after)


def read_series(
    recording: Recording, reader: Reader, options: Options, identity: Identity, names: Sequence[str]
) -> Iterator[Tracks]:
    """Yield the assays of a recording with some of its series, without a look at its actions.

    Parameters
    ----------
    recording, reader, options, identity
        As :func:`read_recording`.
    names : sequence of str
        Of series; those that the recording lacks do not come, others may.

    Raises
    ------
    UsageError, DataError
        As :func:`read_recording`.
    """
    if reader.series is not None:
        tracks: Iterable[Tracks] = reader.series(recording, identity, names)
    elif reader.tracks is not None:
        tracks = reader.tracks(recording, options, identity, ("features",), False)
    else:
        return
    for part in tracks:
        yield replace(part, identity=_named(part.identity, recording))


def _named_after(
    recording: Recording, reader: Reader, identity: Identity, lines: set[str]
) -> Literal["", "file", "folder"]:
    """Say after what the lines are named, if nothing says their names."""
    if identity is not None or reader.line_from == "content":
        return ""
    is_name = reader.line_from == "folder" or lines == {_name_of(recording)}
    return reader.line_from if is_name else ""


@dataclass(frozen=True, slots=True)
class _Actions:
    """Actions of a recording, if any, and whether another file holds them."""

    ethogram: Ethogram | None
    notes: tuple[str, ...] = ()
    foreign: bool = False


def _actions(
    recording: Recording, reader: Reader, options: Options, identity: Identity
) -> _Actions:
    """Actions from where they are wanted from, else from the recording, else from beside it."""
    if reader.takes_labels and options.labels.elsewhere:
        who = identities(recording, reader, options, identity)
        return _Actions(from_elsewhere(options.labels, recording, who), foreign=True)
    lacking: tuple[str, ...] = ()
    if reader.ethogram is not None:
        try:
            return _Actions(reader.ethogram(recording, options, identity))
        except NoLabelsError as error:
            lacking = (str(error),)
    if not recording.labels:
        return _Actions(None, lacking)
    who = identities(recording, reader, options, identity)
    ethogram, notes = from_beside(recording, who)
    return _Actions(ethogram, notes, foreign=True)


def identities(
    recording: Recording, reader: Reader, options: Options, identity: Identity
) -> list[AssayIdentity]:
    """Say who is in a recording of shapes, without reading them; see :func:`read_recording`."""
    assert reader.identities is not None
    return [_named(who, recording) for who in reader.identities(recording, options, identity)]


def _named(who: AssayIdentity, recording: Recording) -> AssayIdentity:
    """Name the line after the recording where nothing else names it."""
    return who if who.line else replace(who, line=_name_of(recording))


def _name_of(recording: Recording) -> str:
    """Name of a recording without its endings."""
    whole = printable_path(recording.path.name)
    return _ENDINGS.sub("", whole.partition(ANY)[0].rstrip("._-")) or whole
