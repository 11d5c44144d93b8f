"""Write labels as LarvaTagger reads them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram, grid_range
from larvastats.io.files import AnyPath, open_file, reading, replacing
from larvastats.io.identity import STAMP
from larvastats.io.labelling import same_assay, states_at
from larvastats.io.tracks import Tracks

if TYPE_CHECKING:
    from larvastats.io.larvatagger import LabelFile

TIME_DECIMALS = 6


def write(
    labels: LabelFile | Ethogram | Tracks,
    path: AnyPath,
    *,
    tracks: Tracks | None = None,
    dt: float = 0.1,
    colors: Sequence[str] | None = None,
    dependencies: Sequence[AnyPath] = (),
) -> None:
    """Write a label file; an old one is replaced at the end.

    Parameters
    ----------
    labels : LabelFile, Ethogram or Tracks
        A label file is written as it was read, with every key it came with. An ethogram holds one
        assay; tracks have states.
    path : path
        Usually ``predicted.label``.
    tracks : Tracks, optional
        With an ethogram: the recording whose frames get the labels. LarvaTagger shows labels on
        the frames of the tracker's files, so that this is what it should be given.
    dt : float
        With an ethogram and without tracks: frames lie at multiples of this step, in s.
    colors : sequence of str, optional
        One ``#rrggbb`` per state.
    dependencies : sequence of paths
        The tracker's files, from which LarvaTagger takes the shapes; stored are their names and
        SHA-1 checksums, so that the label file belongs beside them.

    Raises
    ------
    UsageError
        More than one assay, tracks without states, a step that is not positive, colours that do
        not fit the states, or options that do not apply.
    DataError
        A dependency cannot be read, or the file cannot be written.
    """
    if isinstance(labels, Ethogram | Tracks):
        document = _document(labels, path, tracks, dt)
        if colors is not None:
            document["labels"]["colors"] = _checked_colors(colors, document)
        if dependencies:
            document["dependencies"] = [_dependency(file) for file in dependencies]
    else:
        if tracks is not None or colors is not None or dependencies:
            raise UsageError(f"{path}: a label file is written as it is; leave the options out.")
        document = labels.document
    try:
        text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: the labels cannot be written as JSON ({error}).") from error
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="ascii")


def _document(
    labels: Ethogram | Tracks, path: AnyPath, tracks: Tracks | None, dt: float
) -> dict[str, Any]:
    """Put a label file together."""
    if isinstance(labels, Tracks):
        if labels.state is None:
            raise UsageError(f"{path}: expected tracks with states to write, but they have none.")
        said = {name: getattr(labels.identity, name) for name in _METADATA}
        metadata = _metadata(labels.identity.assay, said)
        return _content(metadata, labels.states, _frames_of(labels, labels.state))
    if tracks is not None:
        labels = same_assay(labels, tracks.identity.assay)
    if len(labels.assays) != 1:
        raise UsageError(
            f"{path}: a label file holds one assay, but the ethogram has {len(labels.assays)}; "
            "write one file per assay."
        )
    row = labels.assays.iloc[0]
    said = {name: row[name] if isinstance(row[name], str) else None for name in _METADATA}
    if tracks is None:
        frames = _grid(labels, path, dt)
    else:
        code = states_at(labels, tracks.larvae, tracks.larva_index, tracks.t)
        frames = _frames_of(tracks, code)
    return _content(_metadata(row["assay"], said), labels.states, frames)


_METADATA = {
    "line": "genotype", "effector": "effector", "protocol": "protocol", "tracker": "tracker",
    "date": "date", "time": "time",
}  # fmt: skip


def _metadata(assay: str, said: dict[str, str | None]) -> dict[str, str]:
    """Return the id first, as LarvaTagger expects it."""
    run_id = assay.rpartition("/")[2]
    stamp = f"{said.pop('date')}_{said.pop('time')}"
    if STAMP.fullmatch(stamp) and not STAMP.fullmatch(run_id):
        run_id = stamp
    return {"id": run_id} | {_METADATA[name]: value for name, value in said.items() if value}


Frames = Iterator[tuple[str, NDArray[np.float64], NDArray[np.int16]]]


def _content(metadata: dict[str, str], states: Sequence[str], frames: Frames) -> dict[str, Any]:
    return {
        "metadata": metadata,
        "units": {"t": "s"},
        "labels": {"names": list(states)},
        "data": [
            {
                "id": larva,
                "t": np.round(t, TIME_DECIMALS).tolist(),
                "labels": [code + 1 if code >= 0 else [] for code in state.tolist()],
            }
            for larva, t, state in frames
        ],
    }


def _frames_of(tracks: Tracks, code: NDArray[np.int16]) -> Frames:
    for position, larva in enumerate(tracks.larvae):
        own = np.flatnonzero(tracks.larva_index == position)
        yield larva, tracks.t[own], code[own]


def _grid(labels: Ethogram, path: AnyPath, dt: float) -> Frames:
    """Frames of every larva on a regular grid, undefined where it was not tracked.

    One undefined frame follows the last, so that a reader knows how long that one lasts.
    """
    if not (np.isfinite(dt) and dt > 0):
        raise UsageError(f"{path}: the frame step must be a positive time in s, but is {dt}.")
    for larva, start, stop in labels.larvae[["larva", "t_from", "t_to"]].itertuples(index=False):
        if np.isnan(start):
            continue
        k = np.arange(int(grid_range(start, dt)), int(grid_range(stop, dt)) + 1)
        t = np.asarray(k * dt, dtype=np.float64)
        yield larva, t, states_at(labels, [larva], np.zeros(len(t), np.int32), t)


def _checked_colors(colors: Sequence[str], document: dict[str, Any]) -> list[str]:
    names = document["labels"]["names"]
    if isinstance(colors, str) or len(colors) != len(names):
        raise UsageError(
            f"Expected one colour for each of the states {', '.join(names)}, but found {colors!r}."
        )
    return [str(color) for color in colors]


def _dependency(file: AnyPath) -> dict[str, str]:
    with reading(file), open_file(file) as stream:
        digest = hashlib.file_digest(stream, lambda: hashlib.sha1(usedforsecurity=False))
    return {"filename": Path(file).name, "sha1": digest.hexdigest()}
