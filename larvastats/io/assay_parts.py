"""What a store keeps of a recording: per assay a row of the index, and files."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import pandas as pd
from pyarrow import parquet

from larvastats.errors import UsageError, one_line
from larvastats.ethogram import Ethogram
from larvastats.io.formats import Content
from larvastats.io.shape_series import Shaping, shaped
from larvastats.io.store import bouts_table
from larvastats.io.store_files import BOUTS, TRACKS
from larvastats.io.store_index import OK, SCHEMA, Row, plain_value
from larvastats.io.track_files import pack
from larvastats.io.tracks import Shape, Tracks

KEPT: Mapping[str, tuple[Shape, ...]] = MappingProxyType(
    {
        "bouts": (),
        "features": ("features",),
        "midline": ("midline", "features"),
        "contour": ("midline", "contour", "features"),
    }
)
"""What a store can keep of a recording, beside its bouts."""

_IDENTITY = SCHEMA.names[:8]


@dataclass(frozen=True, slots=True)
class Part:
    """One assay: its row, and the content of its files by folder."""

    row: Row
    files: Mapping[str, bytes]


def shapes_to_read(keep: str, shaping: Shaping) -> tuple[Shape, ...] | None:
    """Kinds of shape to read for what is to be kept; None for none at all.

    Midlines are always read, for kinematics; outlines where they say which frames are bad.

    Raises
    ------
    UsageError
        `keep` is no choice.
    """
    if keep not in KEPT:
        raise UsageError(f"--keep must be one of {', '.join(KEPT)}, but is {keep!r}.")
    kept = KEPT[keep]
    judged: tuple[Shape, ...] = () if shaping.filter is None else ("contour",)
    return tuple(dict.fromkeys(("midline", *judged, *kept))) if kept else None


def parts_of(content: Content, blank: Row, keep: str, shaping: Shaping) -> Iterator[Part]:
    """Row and files of every assay of a recording.

    Parameters
    ----------
    content : Content
    blank : Row
        What all rows of the recording share.
    keep : {'bouts', 'features', 'midline', 'contour'}
    shaping : Shaping
    """
    tracks = {part.identity.assay: part for part in content.tracks}
    position = 0
    if content.ethogram is not None:
        for row, bouts in _labelled(content.ethogram, blank):
            own = tracks.pop(row["assay"], None)
            yield _part(row | {"position": position}, bouts, own, keep, shaping)
            position += 1
    for own in tracks.values():
        row = _unlabelled(own, blank) | {"position": position}
        yield _part(row, _no_bouts(row), own, keep, shaping)
        position += 1


def _part(row: Row, bouts: bytes, tracks: Tracks | None, keep: str, shaping: Shaping) -> Part:
    if tracks is None:
        return Part(row, {BOUTS: bouts})
    if tracks.midline is not None or tracks.contour is not None:
        before = len(tracks.notes)
        tracks, quality = shaped(tracks, shaping)
        bad = tracks.bad_frames() if quality is None else quality.bad
        row = row | {"n_frames": tracks.n_frames, "n_bad_frames": int(bad.sum())}
        if quality is not None:
            row = row | {"n_dropped_frames": int(quality.dropped.sum())}
        said = [one_line(note) for note in tracks.notes[before:]]
        row = row | {"note": " ".join(filter(None, [row["note"], *said])) or None}
    kept = tracks.only(KEPT[keep])
    lacking = [_PLURAL[kind] for kind in KEPT[keep] if kind in _PLURAL and not kept.has(kind)]
    if lacking:
        row = row | {"note": " ".join(filter(None, [row["note"], _lacks(row, lacking)]))}
    if not any(kept.has(kind) for kind in KEPT[keep]):
        return Part(row, {BOUTS: bouts})
    return Part(row | {"features": sorted(kept.features)}, {BOUTS: bouts, TRACKS: pack(kept)})


_PLURAL = {"midline": "midlines", "contour": "outlines"}


def _lacks(row: Row, kinds: Sequence[str]) -> str:
    return f"{one_line(row['source'])}: there are no {' and no '.join(kinds)} to keep."


# -- bouts -----------------------------------------------------------------------------------------


def _labelled(ethogram: Ethogram, blank: Row) -> Iterator[tuple[Row, bytes]]:
    """Row and bouts (as parquet) of every assay of an ethogram."""
    assay = ethogram.assay_index
    order = np.argsort(assay, kind="stable")
    ends = np.searchsorted(assay[order], np.arange(len(ethogram.assays) + 1))
    larva_assay = ethogram.larvae["assay_index"].to_numpy()
    for position, described in enumerate(_described(ethogram)):
        bouts = order[ends[position] : ends[position + 1]]
        own = np.flatnonzero(larva_assay == position)
        t_start, t_stop = ethogram.t_start[bouts], ethogram.t_stop[bouts]
        row = blank | described
        row |= {
            "status": OK,
            "n_larvae": len(own),
            "n_bouts": len(bouts),
            "seconds": float(np.sum(t_stop - t_start)),
            "states": list(ethogram.states),
            "larvae": [str(name) for name in ethogram.larvae["larva"].iloc[own]],
        }
        larva = np.searchsorted(own, ethogram.larva_index[bouts])
        yield row, _as_parquet(row, larva, ethogram.state[bouts], t_start, t_stop)


def _described(ethogram: Ethogram) -> Iterator[Row]:
    """Identity and covariates of every assay."""
    rest = [name for name in ethogram.assays.columns if name not in _IDENTITY]
    for record in ethogram.assays.to_dict("records"):
        row: Row = {name: None if pd.isna(record[name]) else record[name] for name in _IDENTITY}
        values = {str(name): plain_value(record[name]) for name in rest}
        row["covariates"] = {name: value for name, value in values.items() if value is not None}
        yield row


def _unlabelled(tracks: Tracks, blank: Row) -> Row:
    """Row of an assay of which only shapes are known."""
    identity = {name: getattr(tracks.identity, name) or None for name in _IDENTITY}
    return blank | identity | {
        "status": OK,
        "n_larvae": len(tracks.larvae),
        "n_bouts": 0,
        "seconds": 0.0,
        "states": [],
        "larvae": list(tracks.larvae),
        "covariates": {},
    }  # fmt: skip


def _no_bouts(row: Row) -> bytes:
    none = np.zeros(0, np.int64)
    return _as_parquet(row, none, none, none.astype(float), none.astype(float))


def _as_parquet(row: Row, larva, state, t_start, t_stop) -> bytes:  # type: ignore[no-untyped-def]
    table = bouts_table(row, row["states"], larva, state, t_start, t_stop)
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def without_assays(content: Content, keep: Sequence[bool]) -> Content:
    """Return a content without the assays for which `keep` is false, shape (assay,)."""
    assert content.ethogram is not None
    gone = set(content.ethogram.assays["assay"][[not k for k in keep]])
    tracks = tuple(part for part in content.tracks if part.identity.assay not in gone)
    return replace(content, ethogram=content.ethogram.subset(keep), tracks=tracks)
