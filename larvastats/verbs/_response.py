"""What is measured: an action or a feature, of which genotypes, in which bins of time."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.features import FeatureBins, bin_feature
from larvastats.inference.design.setting import Setting, find_controls, find_genotype
from larvastats.inference.options import name_list
from larvastats.io.features import feature, open_tracks
from larvastats.io.store import is_store, store_tracks
from larvastats.io.tracks import Tracks
from larvastats.io.unlabelled import with_times
from larvastats.markov.occupancy import action_bins
from larvastats.protocol import Interval
from larvastats.verbs._clock import Clock
from larvastats.verbs._open import Source, open_source

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Response:
    """What is measured.

    Attributes
    ----------
    name : str
        An action or a feature.
    is_action : bool
    unit : str
    title : str
        In words, without the unit.
    """

    name: str
    is_action: bool
    unit: str
    title: str

    @property
    def label(self) -> str:
        """For tables and axes: in words, with the unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


def open_response(
    source: Any, response: str, *, progress: bool = False, **load: Any
) -> tuple[Source, Response]:
    """Open a source for an action, or for a feature: that needs no actions.

    Returns
    -------
    source : Source
        For an action without assays that have none; for a feature with all assays.
    response : Response
    """
    opened = open_source(source, progress=progress, unlabelled=True, **load)
    what = make_response(response, opened.ethogram.states)
    return (_labelled(opened) if what.is_action else _timed(opened)), what


def make_response(name: str, states: Sequence[str]) -> Response:
    """Tell whether `name` is an action of the vocabulary, ``p(run)`` written out, or a feature."""
    inner = re.fullmatch(r"p\((.+)\)", name.strip())
    plain = inner[1].strip() if inner else name.strip()
    if plain in states:
        return Response(plain, True, "", f"p({plain})")
    if inner:
        raise UsageError(f"there is no action {plain!r}; the source has {', '.join(states)}.")
    known = feature(plain)
    return Response(plain, False, known.unit, known.label)


def _labelled(opened: Source) -> Source:
    """Leave out assays without actions."""
    ethogram = opened.ethogram
    n = len(ethogram.assays)
    has = np.bincount(ethogram.assay_index, minlength=n) > 0
    if has.all():
        return opened
    first = ethogram.assays["assay"][~has].iloc[0]
    note = f"{n - int(has.sum())} assays have shapes but no actions, such as {first!r}: left out"
    return replace(opened, ethogram=ethogram.subset(has), notes=(*opened.notes, note))


def _timed(opened: Source) -> Source:
    """Say of larvae without actions when they were tracked, where only a store knows it."""
    ethogram = opened.ethogram
    unknown = ethogram.larvae["t_from"].isna().to_numpy(bool)
    if not unknown.any() or not isinstance(opened.place, str | Path) or not is_store(opened.place):
        return opened
    rows = ethogram.larvae["assay_index"].to_numpy()[unknown]
    names = set(ethogram.assays["assay"].iloc[np.unique(rows)])
    tracks = store_tracks(opened.place, lambda row: row["assay"] in names, ())
    return replace(opened, ethogram=with_times(ethogram, tracks))


def recorded(setting: Setting, rows: NDArray[np.integer]) -> Interval:
    """Return the times that half of the assays cover at least, s."""
    larvae = setting.ethogram.larvae
    own = larvae[larvae["assay_index"].isin(rows)]
    by_assay = own.groupby("assay_index")
    return float(by_assay["t_from"].min().median()), float(by_assay["t_to"].max().median())


def measure(
    opened: Source, setting: Setting, response: Response, edges: Array, onsets: Sequence[float]
) -> tuple[Array, Response]:
    """Return the response per assay and bin.

    Returns
    -------
    values : ndarray, shape (assay, bin)
        NaN where no larva was tracked.
    response : Response
        With the unit that the recordings say.
    """
    if response.is_action:
        return action_bins(setting.ethogram, response.name, edges, onsets).share, response
    bins = measure_feature(opened, setting, response, edges, onsets)
    return bins.mean, replace(response, unit=bins.unit or response.unit)


def measure_feature(
    opened: Source, setting: Setting, response: Response, edges: Array,
    onsets: Sequence[float] = (0.0,),
) -> FeatureBins:  # fmt: skip
    """Return the sums of a feature per assay and bin."""
    assays = list(setting.ethogram.assays["assay"])
    tracks = open_features(opened, assays, response.name)
    return bin_feature(tracks, response.name, assays, edges, onsets)


def open_features(opened: Source, assays: Collection[str], name: str) -> Iterable[Tracks]:
    """Yield the assays of an opened source with one feature."""
    return open_tracks(
        opened.place, set(assays), name, actions=opened.ethogram.states, **opened.reading
    )


def choose_genotypes(
    setting: Setting, genotypes: str | Sequence[str] | None, control: str | None
) -> tuple[list[str], dict[str, str], tuple[str, ...]]:
    """Return the genotypes to show, controls first, who is compared with whom, and notes.

    Without `control` the usual one is taken where there is one; two named genotypes without a
    usual control are compared with each other, the second in the control's place.
    """
    assays = setting.ethogram.assays
    known = sorted(assays["genotype"].unique())
    if genotypes is None:
        names = known
    else:
        names = list(dict.fromkeys(find_genotype(assays, n) for n in name_list(genotypes)))
    try:
        controls = find_controls(assays, control)
    except UsageError:
        if control is not None:
            raise
        if len(names) == 2:
            return names[::-1], {names[0]: names[1]}, ()
        return names, {}, ("no control is known and none was named with --control: no test",)
    pairs = {n: c for n in names if (c := controls.get(n)) is not None}
    order = list(dict.fromkeys([*pairs.values(), *names]))
    alone = [n for n in names if n not in pairs and n not in pairs.values()]
    notes = (f"no control for {', '.join(alone[:6])}: no test",) if alone and pairs else ()
    return order, pairs, notes


def check_values(values: Array, response: Response, names: Mapping[str, Any], clock: Clock) -> None:
    """Refuse responses that say nothing.

    Raises
    ------
    DataError
        No larva tracked in the span, an action that nobody does, or one constant number.
    """
    low, high = clock.edges[0], clock.edges[-1]
    seen = values[~np.isnan(values)]
    if not len(seen):
        what = "is tracked" if response.is_action else f"has a value of {response.name}"
        raise DataError(
            f"no larva of {', '.join(list(names)[:4])} {what} from {low:g} to {high:g} s; choose "
            f"another --span or --align{'' if response.is_action else ', or another --response'}."
        )
    if response.is_action and not seen.any():
        raise DataError(
            f"no larva of {', '.join(list(names)[:4])} ever does {response.name!r} from {low:g} to "
            f"{high:g} s: it has no time course; choose another --response."
        )
    if seen.std() <= 1e-12 * max(abs(float(seen.mean())), 1e-12):
        raise DataError(
            f"{response.label} is {seen[0]:g} in every assay and bin: there is nothing to show or "
            "to test; check the data, or choose another --response."
        )
