"""Labels that come from elsewhere: a label file beside a recording, or a table of all recordings.

``--labels`` names either one of the recording's own encodings (``large``, ``all``, ``strong``), a
file with the labels of many recordings (a tidy table of bouts or frames, or a label file of
LarvaTagger), or the name that label files have beside each recording, such as ``predicted.label``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import get_args

import pandas as pd

from larvastats.combine import concat
from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.io import larvatagger, tidy, trx
from larvastats.io.files import AnyPath, read_head, reading, sha256
from larvastats.io.identity import STAMP
from larvastats.io.paths import AssayIdentity
from larvastats.io.recordings import Recording
from larvastats.tabular import IDENTITY, complete_assays

OWN = get_args(trx.Labels)
"""Encodings of labels that a recording itself may hold; the first one is the default."""

_NOBODY = AssayIdentity("", "(line of the recording)", "", "", None, None, "")


@dataclass(frozen=True, slots=True)
class Labels:
    """Where the labels of recordings come from.

    Attributes
    ----------
    own : {'large', 'all', 'strong'}
        Which of a recording's own labels to take.
    file : Path or None
        A file with the labels of many recordings, taken instead of their own.
    beside : str or None
        Name of the label files beside the recordings that are taken instead of their own.
    """

    own: trx.Labels = "large"
    file: Path | None = None
    beside: str | None = None

    @property
    def text(self) -> str:
        """How the choice is written on the command line."""
        return str(self.file) if self.file else self.beside or self.own

    @property
    def elsewhere(self) -> bool:
        """Whether labels from another file go before a recording's own."""
        return bool(self.file or self.beside)

    @property
    def fingerprint(self) -> str:
        """What a store keeps of the choice: of a file, its content counts, not its place."""
        return f"file:{_checksum(self.file)}" if self.file else self.text


def choose_labels(choice: str) -> Labels:
    """Say where labels come from.

    Raises
    ------
    UsageError
        `choice` is no encoding, no file that exists, and no name of a label file.
    """
    if choice in OWN:
        return Labels(own=trx.check_labels(choice))
    if os.path.isfile(choice):
        return Labels(file=Path(choice))
    if "/" not in choice and choice.casefold().endswith(larvatagger.ENDINGS):
        return Labels(beside=choice)
    raise UsageError(
        f"--labels must be one of {', '.join(OWN)}, a table or label file that exists, or the name "
        f"of label files beside the recordings, such as predicted.label, but is {choice!r}."
    )


def from_elsewhere(
    labels: Labels, recording: Recording, identities: Sequence[AssayIdentity]
) -> Ethogram:
    """Labels of a recording from another file than its own, as that is asked for.

    Parameters
    ----------
    labels : Labels
        With a `file`, or with the name of files `beside`.
    recording : Recording
    identities : sequence of AssayIdentity
        Assays of the recording: the labels get these identities.

    Raises
    ------
    DataError
        The file is damaged or has no labels of the recording.
    """
    if labels.file is not None:
        opened = _opened(labels.file)
        found = [_of_assay(opened, who, alone=False) for who in identities]
        parts = [part for part in found if part is not None]
        if not parts:
            raise DataError(
                f"{recording.path}: expected labels of assay {identities[0].assay!r} in "
                f"{labels.file}, but it has none; name the assay there as here, or by its date and "
                "time."
            )
        return concat(parts, str(labels.file))
    named = [file for file in recording.labels if file.name == labels.beside]
    if not named:
        raise DataError(
            f"{recording.path}: expected the label file {labels.beside!r} beside it, but there is "
            "none; put it there, or choose other --labels."
        )
    return _beside(named[0], recording, identities)


def from_beside(
    recording: Recording, identities: Sequence[AssayIdentity]
) -> tuple[Ethogram, tuple[str, ...]]:
    """Labels of a recording from the most useful label file beside it; there is at least one.

    Returns
    -------
    ethogram : Ethogram
    notes : tuple of str
        Which file it was, where there are several.
    """
    file, *others = recording.labels
    ethogram = _beside(file, recording, identities)
    if not others:
        return ethogram, ()
    unused = ", ".join(other.name for other in others)
    return ethogram, (f"{recording.path}: its actions come from {file.name}, not from {unused}.",)


def _beside(file: Path, recording: Recording, identities: Sequence[AssayIdentity]) -> Ethogram:
    labels = _opened(file)
    for who in identities:
        part = _of_assay(labels, who, alone=len(identities) == 1)
        if part is not None:
            return part
    raise DataError(
        f"{recording.path}: the label file {file.name} beside it is of "
        f"{', '.join(map(repr, labels.assays['assay'][:3]))}; put each recording and its labels "
        "into a folder of their own."
    )


def _of_assay(labels: Ethogram, who: AssayIdentity, alone: bool) -> Ethogram | None:
    """Labels of one assay, with its identity; None where there are none.

    Parameters
    ----------
    labels : Ethogram
    who : AssayIdentity
    alone : bool
        Whether the labels of a single assay are taken whatever they call it, unless that is
        another date and time.
    """
    names = [str(name) for name in labels.assays["assay"]]
    stamps = [name.rpartition("/")[2] for name in names]
    own = who.assay.rpartition("/")[2]
    keep = [who.assay == n or own == stamp for n, stamp in zip(names, stamps, strict=True)]
    if alone and len(names) == 1 and not (STAMP.fullmatch(own) and STAMP.fullmatch(stamps[0])):
        keep = [True]
    if sum(keep) != 1:
        return None
    part = labels.subset(keep)
    said = {name: getattr(who, name) or None for name in ("assay", *IDENTITY)}
    rest = part.assays.drop(columns=[*said, "genotype"], errors="ignore").reset_index(drop=True)
    assays = complete_assays(pd.concat([pd.DataFrame([said]), rest], axis=1))
    return Ethogram.build(
        part.states, part.larva_index, part.state, part.t_start, part.t_stop, part.larvae, assays,
        who.assay,
    )  # fmt: skip


def _opened(file: Path) -> Ethogram:
    with reading(file):
        stat = file.stat()
    return _opened_once(str(file), stat.st_mtime_ns)


@lru_cache(maxsize=2)
def _opened_once(file: str, changed: int) -> Ethogram:
    """Read a file of labels; one of many recordings is read once per process."""
    read_head(file, 1)
    if larvatagger.sniff(file):
        return larvatagger.read(file, line=_NOBODY.line)
    return tidy.read(file, identity=_NOBODY)


@lru_cache(maxsize=8)
def _checksum(file: AnyPath) -> str:
    return sha256(file)[:12]
