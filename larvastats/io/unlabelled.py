"""Recordings without actions as ethograms: who was there and when, and no bouts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace

import numpy as np
import pandas as pd

from larvastats.ethogram import Ethogram
from larvastats.io.paths import AssayIdentity
from larvastats.io.tracks import Tracks
from larvastats.tabular import complete_assays

_IDENTITY = tuple(field.name for field in fields(AssayIdentity))


def without_actions(tracks: Sequence[Tracks]) -> Ethogram:
    """Return the larvae of some assays, at least one, and when they were tracked."""
    assays = pd.DataFrame(
        {name: [getattr(one.identity, name) or None for one in tracks] for name in _IDENTITY}
    )
    larvae = pd.DataFrame(
        {
            "larva": pd.Series([name for one in tracks for name in one.larvae], dtype="str"),
            "assay_index": np.repeat(np.arange(len(tracks)), [len(one.larvae) for one in tracks]),
        }
    )
    none = np.zeros(0)
    ethogram = Ethogram.build(
        (), none.astype(np.int32), none.astype(np.int16), none, none, larvae,
        complete_assays(assays),
    )  # fmt: skip
    return with_times(ethogram, tracks)


def with_times(ethogram: Ethogram, tracks: Iterable[Tracks]) -> Ethogram:
    """Say of larvae without bouts when they were tracked.

    Parameters
    ----------
    ethogram : Ethogram
    tracks : iterable of Tracks
        Of some of its assays.
    """
    larvae = ethogram.larvae.copy()
    place = {assay: k for k, assay in enumerate(ethogram.assays["assay"])}
    row = {key: k for k, key in enumerate(zip(larvae["assay_index"], larvae["larva"], strict=True))}
    t_from, t_to = (larvae[name].to_numpy(np.float64, copy=True) for name in ("t_from", "t_to"))
    for one in tracks:
        assay = place.get(one.identity.assay)
        edges = np.searchsorted(one.larva_index, np.arange(len(one.larvae) + 1))
        for larva, first, last in zip(one.larvae, edges[:-1], edges[1:] - 1, strict=True):
            k = row.get((assay, larva))
            if k is not None and np.isnan(t_from[k]):
                t_from[k], t_to[k] = one.t[first], one.t[last]
    return replace(ethogram, larvae=larvae.assign(t_from=t_from, t_to=t_to))
