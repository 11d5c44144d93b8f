"""LarvaTagger's label files: who does what in which frame, as JSON.

Read are ``.label``, ``.labels``, ``.json`` and ``.nyxlabel`` in every form met so far:

- labels as names or as positions from 1 in ``labels`` (a list of names, or ``names`` with
  ``colors``); positions beyond it lead into ``secondarylabels``;
- one label per frame or a list of them, nested or not; ``[]`` and null leave a frame undefined;
- identity (genotype, effector, protocol, tracker) in ``metadata`` or at the top level;
- the older wrapper ``{"runs": {id: {...}}}``, with one entry per recording.

The state of a frame is the first of its labels that is no tag. Tags are the ``secondarylabels`` and
``edited``, which marks what somebody corrected by hand. A frame without a state is a gap.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from larvastats.combine import concat, merge_short
from larvastats.errors import DataError, LarvastatsError
from larvastats.ethogram import Ethogram
from larvastats.io.files import AnyPath, open_plain, read_head, reading
from larvastats.io.identity import settle
from larvastats.io.labelling import frames_to_ethogram
from larvastats.io.larvatagger.parse import EDITED, Run, TrackLabels, parse_runs
from larvastats.io.larvatagger.writer import write
from larvastats.io.paths import AssayIdentity, identify, printable_path

__all__ = [
    "EDITED", "LabelFile", "Run", "TrackLabels", "beside", "load", "read", "sniff", "write",
]  # fmt: skip

MAX_BYTES = 1 << 27
"""Largest label file; a plate of a hundred larvae filmed for half an hour fits several times."""

ENDINGS = (".label", ".labels", ".nyxlabel", ".json")

_FIRST_KEY = re.compile(
    rb'(?:\xef\xbb\xbf)?\s*\{\s*"'
    rb'(?:metadata|runs|id|units|labels|secondarylabels|dependencies|data|genotype|date_time)"\s*:'
)
_LABELS_KEY = re.compile(rb'"(?:labels|runs)"\s*:')


@dataclass(frozen=True, slots=True, eq=False)
class LabelFile:
    """A label file as it is, and what it means.

    Attributes
    ----------
    path : path
    document : dict
        The whole JSON, with keys nobody here knows; :func:`write` writes it back.
    runs : tuple of Run
        The recordings in it; mostly one.
    """

    path: AnyPath
    document: dict[str, Any]
    runs: tuple[Run, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was unusual, one sentence each."""
        return tuple(note for run in self.runs for note in run.notes)

    def to_ethogram(
        self,
        *,
        identity: AssayIdentity | None = None,
        line: str | None = None,
        own_line: str = "",
        synonyms: Mapping[str, str] | None = None,
        min_bout: float = 0.0,
    ) -> Ethogram:
        """Turn the labels into bouts; parameters, result and errors as :func:`read`."""
        parts = []
        for run in self.runs:
            known = _identity(self.path, run, identity, line, own_line)
            source = str(self.path)
            parts.append(
                frames_to_ethogram(_frames(run, source), known, synonyms=synonyms, source=source)
            )
        return merge_short(concat(parts, str(self.path)), min_bout)


def sniff(path: AnyPath) -> bool:
    """Whether the content begins as label files do."""
    try:
        head = read_head(path)
    except LarvastatsError:
        return False
    return _FIRST_KEY.match(head) is not None and _LABELS_KEY.search(head) is not None


def beside(path: AnyPath) -> tuple[Path, ...]:
    """List the label files in a folder, or in that of a recording, the most useful first.

    That is ``predicted.*``, which covers every frame, then ``groundtruth.*``, which mostly covers
    some, then others by name.

    Raises
    ------
    UsageError, DataError
        The folder does not exist or cannot be listed.
    """
    folder = Path(path) if os.path.isdir(path) else Path(path).parent
    with reading(folder):
        files = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    usual = [file for file in files if file.name.casefold().endswith(ENDINGS) and sniff(file)]
    return tuple(most_useful_first(usual))


def most_useful_first(files: Iterable[Path]) -> list[Path]:
    """Order label files: ``predicted.*``, then ``groundtruth.*``, then others by name."""
    first = ("predicted.", "groundtruth.")

    def rank(file: Path) -> tuple[bool | str, ...]:
        name = file.name.casefold()
        return (*(not name.startswith(start) for start in first), name)

    return sorted(files, key=rank)


def load(path: AnyPath) -> LabelFile:
    """Read a label file.

    Parameters
    ----------
    path : path
        Plain or gzipped.

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        The file is larger than :data:`MAX_BYTES`, is no JSON in UTF-8, or no label file; the
        sentence says in which track and frame.
    """
    with reading(path), open_plain(path) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise DataError(
            f"{path}: expected a label file, but it is larger than {MAX_BYTES >> 20} MiB; split it "
            "by recordings."
        )
    document = _decoded(content, path)
    return LabelFile(path, document, parse_runs(document, str(path)))


def read(
    path: AnyPath,
    *,
    identity: AssayIdentity | None = None,
    line: str | None = None,
    own_line: str = "",
    synonyms: Mapping[str, str] | None = None,
    min_bout: float = 0.0,
) -> Ethogram:
    """Read the states in a label file.

    Parameters
    ----------
    path : path
    identity : AssayIdentity, optional
        Supplies what the file does not say itself; by default what the path says.
    line : str, optional
        Line, or line@effector, of the larvae; goes before everything else.
    own_line : str
        The line where neither file nor path names one.
    synonyms : mapping of str to str, optional
        The site's words for actions; see :func:`larvastats.vocabulary.rename_states`.
    min_bout : float
        Shortest bout to keep, in s; see :func:`larvastats.combine.merge_short`.

    Returns
    -------
    Ethogram
        One assay per recording in the file. A frame lasts until the next one; an undefined frame
        is a gap.

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        As :func:`load`; also if no frame has a state, or nothing names the line.
    """
    return load(path).to_ethogram(
        identity=identity, line=line, own_line=own_line, synonyms=synonyms, min_bout=min_bout
    )


def _decoded(content: bytes, path: AnyPath) -> Any:
    """Parse JSON; whatever is wrong with it becomes one sentence."""
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: expected UTF-8 text, but found bytes that are none (byte {error.start + 1}); "
            "give the label file as LarvaTagger wrote it."
        ) from error
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0][:120]
        raise DataError(
            f"{path}: expected the JSON of a label file, but it is damaged or cut off ({reason}); "
            "copy it again from its origin."
        ) from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


def _identity(
    path: AnyPath, run: Run, given: AssayIdentity | None, line: str | None, own_line: str
) -> AssayIdentity:
    """Identity of one recording: the file goes before the path."""
    by_path = given or identify(path)
    own_id = run.id or (by_path.assay.rpartition("/")[2] if by_path else "")
    own_id = own_id or Path(printable_path(path)).stem
    known, _ = settle(path, by_path, None, own_id, own_line)
    known = replace(known, **run.said)
    return known if line is None else settle(path, known, line, own_id)[0]


def _frames(run: Run, source: str) -> pd.DataFrame:
    """Table of the frames of all tracks."""
    if not any(len(track.t) for track in run.tracks):
        raise DataError(f"{source}: expected labelled frames, but there is no frame at all.")
    larvae = list(dict.fromkeys(track.larva for track in run.tracks))
    position = {larva: code for code, larva in enumerate(larvae)}
    index = np.repeat(
        [position[track.larva] for track in run.tracks], [len(track.t) for track in run.tracks]
    )
    state = np.concatenate([track.state for track in run.tracks])
    return pd.DataFrame(
        {
            "larva": pd.Categorical.from_codes(index, larvae),
            "t": np.concatenate([track.t for track in run.tracks]),
            "state": pd.Categorical.from_codes(state, list(run.states)),
        }
    )
