"""FIMTrack v2 csv: one column per larva, one row per feature and frame; states from its flags.

FIMTrack writes no states, but four flags per frame: ``is_coiled`` (the body touches itself),
``left_bended`` and ``right_bended`` (the midline is bent by more than a threshold, by default
30 degrees), and ``go_phase`` (1: moved far enough over the last second and not bent, 0: not, empty:
no position one second earlier, at the start of every track). :data:`DEFAULT_MAPPING` makes states
of them; the first rule that fits a frame wins:

1. ``coiled``: ``is_coiled`` is 1, for then the midline, and with it the bend, means nothing;
2. ``cast``: ``left_bended`` or ``right_bended`` is 1;
3. ``run``: ``go_phase`` is 1;
4. ``stop``: ``go_phase`` is 0, neither coiled nor bent.

A frame that fits no rule (straight, ``go_phase`` empty) has no state and counts as not tracked. In
33,895 larva-frames of four real groups (20 larvae, 1200 to 2405 frames) the rules find 25,383 run,
4267 cast, 3764 stop, 292 coiled and 189 without a state; ``go_phase`` is empty in exactly the first
10 frames of every larva, and never 1 while a bend is flagged.

The file has frame numbers but neither frame rate nor scale: the caller gives them. One file is one
assay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.combine import merge_short
from larvastats.errors import DataError, LarvastatsError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io.files import AnyPath, read_head
from larvastats.io.fimtrack.shapes import shapes, unit_of
from larvastats.io.fimtrack.table import HEADER, Features, read_features
from larvastats.io.labelling import NoLabelsError
from larvastats.io.paths import AssayIdentity, identify, printable_path
from larvastats.io.text.columns import with_identity
from larvastats.io.tracks import Tracks

__all__ = [
    "DEFAULT_MAPPING",
    "Rule",
    "identity_of",
    "read",
    "read_tracks",
    "sniff",
    "stem",
    "unit_of",
]

Rule = tuple[str, Mapping[str, float]]

DEFAULT_MAPPING: tuple[Rule, ...] = (
    ("coiled", {"is_coiled": 1}),
    ("cast", {"left_bended": 1}),
    ("cast", {"right_bended": 1}),
    ("run", {"go_phase": 1}),
    ("stop", {"go_phase": 0}),
)
"""State and the values that the tracker's features must have; the first rule that fits wins."""


def sniff(path: AnyPath) -> bool:
    """Whether the content begins as FIMTrack's tables do."""
    try:
        return HEADER.match(read_head(path, 64)) is not None
    except LarvastatsError:
        return False


def read(
    path: AnyPath,
    *,
    fps: float | None,
    line: str | None = None,
    mapping: Sequence[Rule] = DEFAULT_MAPPING,
    min_bout: float = 0.0,
    identity: AssayIdentity | None = None,
) -> Ethogram:
    """Read the states of a FIMTrack v2 table.

    Parameters
    ----------
    path : path
        Csv, plain or gzipped.
    fps : float
        Frames per second of the film; the file does not say it.
    line : str, optional
        Line, or line@effector, of the larvae; by default what the path says, else the file's name
        without its ending.
    mapping : sequence of (state, {feature: value})
        Rules in order of precedence; any feature of the table may be used.
    min_bout : float
        Shortest bout to keep, in s; see :func:`larvastats.combine.merge_short`.
    identity : AssayIdentity, optional
        By default what the path says.

    Returns
    -------
    Ethogram
        One assay, with the tracker's larva numbers as ids.

    Raises
    ------
    UsageError
        No such file, no frame rate, or rules that are none.
    DataError
        The file is damaged or no such table, lacks a feature, or no frame fits a rule.
    """
    fps = _checked_fps(path, fps)
    wanted = _features_of(mapping)
    features = read_features(path, wanted)
    table = _states(features, mapping, fps)
    if not len(table) or not table["state"].notna().any():
        raise NoLabelsError(
            f"{path}: expected frames that fit a rule of the mapping, but none does."
        )
    table = with_identity(table, _identity(path, line, identity or identify(path)))
    return merge_short(Ethogram.from_frames(table, source=str(path)), min_bout)


def read_tracks(
    path: AnyPath,
    *,
    fps: float | None,
    px_per_mm: float | None = None,
    line: str | None = None,
    mapping: Sequence[Rule] = DEFAULT_MAPPING,
    identity: AssayIdentity | None = None,
) -> Tracks:
    """Read midlines, centroids, features and states of a FIMTrack v2 table.

    Parameters
    ----------
    path : path
        Csv, plain or gzipped.
    fps : float
        Frames per second of the film; the file does not say it.
    px_per_mm : float, optional
        Pixels per millimetre; without it, lengths remain pixels.
    line, mapping, identity
        As :func:`read`. Rules that fit no frame, or ask for a feature that the table lacks, leave
        the frames without states, and a note says so.

    Returns
    -------
    Tracks
        All frames in which the tracker has any value of the larva. Midline: head, spinepoint_1,
        ..., tail; centroid: mom_x, mom_y; all further rows are features, in the units of
        :func:`unit_of`. The tracker writes radii of the body, but no outline. As in the film, y
        points down. Coiled larvae have midlines too; ``is_coiled`` tells them.

    Raises
    ------
    UsageError
        No such file, no frame rate, no positive scale, or rules that are none.
    DataError
        The file is damaged, no such table, or has no value at all.
    """
    fps = _checked_fps(path, fps)
    if px_per_mm is not None and not (np.isfinite(px_per_mm) and px_per_mm > 0):
        raise UsageError(
            f"--px-per-mm must be a positive number of pixels per millimetre, but is {px_per_mm}."
        )
    needed = _features_of(mapping)
    features = read_features(path)
    length = "px" if px_per_mm is None else "mm"
    larva, frame = np.nonzero(_tracked(features).T)
    if not len(larva):
        raise DataError(f"{path}: expected values, but every cell is empty.")
    flat = {name: values[frame, larva] for name, values in features.values.items()}
    code, states, notes = _codes_or_note(features, mapping, needed, path)
    return Tracks.build(
        _identity(path, line, identity or identify(path)), features.larvae, larva,
        features.frames[frame] / fps, states=states, notes=notes, source=str(path),
        state=None if code is None else code[frame, larva], length_unit=length,
        **shapes(flat, fps, px_per_mm or 1.0, length),
    )  # fmt: skip


def stem(path: AnyPath) -> str:
    """Return a file's name without ``.csv`` or ``.csv.gz``."""
    name = Path(printable_path(path)).name
    return re.sub(r"(?:\.(?:csv|tsv|txt))?(?:\.gz)?$", "", name, flags=re.IGNORECASE) or name


def identity_of(path: AnyPath, identity: AssayIdentity | None = None) -> AssayIdentity:
    """Say who is in a table: what the path says, else the file's name."""
    return _identity(path, None, identity or identify(path))


def _identity(path: AnyPath, line: str | None, by_path: AssayIdentity | None) -> AssayIdentity:
    known = by_path or AssayIdentity("", stem(path), "", "", None, None, stem(path))
    if line is None:
        return known
    name, _, effector = line.partition("@")
    return replace(known, line=name, effector=effector)


def _features_of(mapping: Sequence[Rule]) -> tuple[str, ...]:
    """Features that the rules ask about."""
    try:
        rules = [(str(state), dict(conditions)) for state, conditions in mapping]
    except (TypeError, ValueError) as error:
        raise UsageError(
            "A FIMTrack mapping is a sequence of rules such as ('run', {'go_phase': 1}), but is "
            f"{mapping!r}."
        ) from error
    if not rules or not all(state.strip() and conditions for state, conditions in rules):
        raise UsageError(
            "Every rule of a FIMTrack mapping names a state and at least one feature with its "
            f"value, such as ('run', {{'go_phase': 1}}), but the mapping is {mapping!r}."
        )
    return tuple(dict.fromkeys(name for _, conditions in rules for name in conditions))


def _checked_fps(path: AnyPath, fps: float | None) -> float:
    if fps is None:
        raise UsageError(
            f"{path}: a FIMTrack table has frame numbers but no frame rate; give it by --fps."
        )
    if not (np.isfinite(fps) and fps > 0):
        raise UsageError(f"--fps must be a positive number of frames per second, but is {fps}.")
    return fps


def _codes(
    features: Features, mapping: Sequence[Rule]
) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """State of every frame (-1: no rule fits), shape (frame, larva), and the states' names."""
    names = tuple(dict.fromkeys(state for state, _ in mapping))
    shape = len(features.frames), len(features.larvae)
    code = np.full(shape, -1, dtype=np.int16)
    for state, conditions in reversed(mapping):
        fits = np.ones(shape, dtype=bool)
        for name, value in conditions.items():
            fits &= features.values[name] == value
        code[fits] = names.index(state)
    return code, names


def _codes_or_note(
    features: Features, mapping: Sequence[Rule], needed: Sequence[str], path: AnyPath
) -> tuple[NDArray[np.int16] | None, tuple[str, ...], tuple[str, ...]]:
    """States of frames, or None with a note that says why there are none."""
    lacking = [name for name in needed if name not in features.values]
    if lacking:
        why = f"the table has no rows of {', '.join(lacking)}"
    else:
        code, names = _codes(features, mapping)
        if (code >= 0).any():
            return code, names, ()
        why = "no frame fits a rule of the mapping"
    return None, (), (f"{path}: {why}; its frames have no states.",)


def _tracked(features: Features) -> NDArray[np.bool_]:
    """Whether any of the features has a value, shape (frame, larva)."""
    tracked = np.zeros((len(features.frames), len(features.larvae)), dtype=bool)
    for values in features.values.values():
        tracked |= ~np.isnan(values)
    return tracked


def _states(features: Features, mapping: Sequence[Rule], fps: float) -> pd.DataFrame:
    """Table of frames: ``larva t state`` for every cell that holds a value."""
    code, names = _codes(features, mapping)
    frame, larva = np.nonzero(_tracked(features))
    return pd.DataFrame(
        {
            "larva": pd.Categorical.from_codes(larva, list(features.larvae)),
            "t": features.frames[frame] / fps,
            "state": pd.Categorical.from_codes(code[frame, larva], list(names)),
        }
    )
