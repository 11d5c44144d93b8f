"""Who is in a trx.mat file: larvae, and the assays they were recorded in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.io.files import AnyPath
from larvastats.io.identity import STAMP
from larvastats.io.paths import AssayIdentity, make_identity, printable_path
from larvastats.io.trx.matlab import Struct, cells, read_text

IDENTITY_FIELDS = frozenset(
    ["id", "numero_larva", "numero_larva_num", "neuron", "stimuli", "protocol", "pipeline",
     "full_path"]
)  # fmt: skip
"""Fields that say who was recorded."""

_OF_ASSAY = ("neuron", "stimuli", "protocol", "pipeline")


def larva_names(struct: Struct) -> list[str]:
    """Ids of the larvae: their numbers, unless they have proper names; else their positions."""
    names: list[str] = []
    for field in ("numero_larva_num", "numero_larva"):
        if field not in struct:
            continue
        found = [read_text(struct, field, cell) for cell in cells(struct, field)]
        if not names or not all(name.isdigit() for name in found):
            names = found if all(found) else names
    return names or [str(number) for number in range(1, struct.size + 1)]


def assays(
    struct: Struct, by_path: AssayIdentity | None
) -> tuple[NDArray[np.int64], list[AssayIdentity]]:
    """Assay of every larva, shape (larva,), and who every assay is; the path fills the blanks."""
    ids = [""] * struct.size
    if "id" in struct:
        ids = [read_text(struct, "id", cell) for cell in cells(struct, "id")]
    of_id, distinct = pd.factorize(np.array(ids, dtype=object))
    first = [int(np.argmax(of_id == code)) for code in range(len(distinct))]
    fields = {name: cells(struct, name, first) for name in _OF_ASSAY if name in struct}
    known: list[AssayIdentity] = []
    number: dict[str, int] = {}  # a blank id may be that of the path, which another larva says
    of_assay = []
    for position, larva in enumerate(first):
        said = {name: read_text(struct, name, column[position]) for name, column in fields.items()}
        one = _identity(struct.path, ids[larva], said, by_path)
        if one.assay not in number:
            number[one.assay] = len(known)
            known.append(one)
        of_assay.append(number[one.assay])
    return np.array(of_assay, dtype=np.int64)[of_id], known


def _identity(
    path: AnyPath, assay: str, said: Mapping[str, str], by_path: AssayIdentity | None
) -> AssayIdentity:
    """Identity of one assay; without a line where nobody names one."""
    line, _, after = said.get("neuron", "").partition("@")
    effector = said.get("stimuli", "") or after
    line = line or (by_path.line if by_path else "")
    if by_path and not assay:
        assay = by_path.assay.rpartition("/")[2]
    effector = effector or (by_path.effector if by_path else "")
    protocol = said.get("protocol", "") or (by_path.protocol if by_path else "")
    tracker = said.get("pipeline", "") or (by_path.tracker if by_path else "")
    if STAMP.fullmatch(assay):
        return make_identity(tracker, line, effector, protocol, assay)
    own = assay or Path(printable_path(path)).stem
    return AssayIdentity(tracker, line, effector, protocol, None, None, own)
