"""The question put to the data: which protocol, which window, which line against which control."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from larvastats.errors import DataError, UsageError
from larvastats.ethogram import Ethogram
from larvastats.inference.design.crosses import crosses_as_units, has_crosses
from larvastats.protocol import Protocol, canonical_protocol, match_protocol, parse_protocol

UNITS = ("auto", "assay", "cross", "larva")

DEFAULT_CONTROL = "FCF_attP2_1500062"
"""The line that carries the empty driver's landing site: the field's usual control."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One protocol of a source, with the date of each assay.

    Attributes
    ----------
    ethogram : Ethogram
        Assays of the protocol only.
    protocol : Protocol
    dates : ndarray of object, shape (assay,), or None
        None when blocks are switched off or no assay has a date.
    notes : tuple of str
    unit : {'assay', 'cross', 'larva'}
        What a row of the assay table is.
    """

    ethogram: Ethogram
    protocol: Protocol
    dates: NDArray[np.object_] | None
    notes: tuple[str, ...] = field(default=())
    unit: str = "assay"

    def rows(self, genotype: str) -> NDArray[np.int64]:
        """Return rows of the assay table of one genotype."""
        return np.flatnonzero((self.ethogram.assays["genotype"] == genotype).to_numpy(bool))


def make_setting(
    ethogram: Ethogram,
    *,
    protocol: str | None,
    gap: str | None = None,
    unit: str = "assay",
    block: str = "date",
) -> Setting:
    """Choose the protocol and the unit.

    Parameters
    ----------
    ethogram : Ethogram
    protocol : str, optional
        Name or unique beginning; may be left out when there is one or none.
    gap : {'period', 'pause'}, optional
        How to read the last number of a stimulus.
    unit : {'assay', 'auto', 'cross', 'larva'}
        What is exchanged. Plates of one cross share its vial: ``cross`` pools them into one unit,
        ``auto`` does so wherever the column ``cross`` names crosses of several plates. Larvae of a
        plate are not independent: ``larva`` is for sources without plates, and comes with a
        warning.
    block : {'date', 'none'}
        Within what units are exchanged.

    Raises
    ------
    UsageError
        Unknown or ambiguous arguments.
    """
    choices = (("unit", unit, UNITS), ("block", block, ("date", "none")))
    for name, value, allowed in choices:
        if value not in allowed:
            raise UsageError(f"{name} must be {' or '.join(allowed)}, but is {value!r}.")
    ethogram, text = choose_protocol(ethogram, protocol)
    notes: list[str] = []
    if unit == "auto":
        unit = "cross" if has_crosses(ethogram) else "assay"
    if unit == "cross":
        ethogram, note = _crosses(ethogram)
        notes.append(note)
    if unit == "larva":
        ethogram = larvae_as_units(ethogram)
        notes.append(
            "unit is the larva: larvae of one plate share its conditions, so p-values are too "
            "small unless every larva was recorded alone; such a design cannot tell a line from a "
            "plate"
        )
    dates = None
    if block == "date":
        dates = ethogram.assays["date"].astype(object).where(ethogram.assays["date"].notna(), None)
        dates = dates.to_numpy(dtype=object)
        if all(d is None for d in dates):
            dates = None
            notes.append("no assay has a date: one block, assays exchange freely")
    parsed = parse_protocol(text, gap=gap)  # type: ignore[arg-type]
    return Setting(ethogram, parsed, dates, tuple(notes), unit)


def _crosses(ethogram: Ethogram) -> tuple[Ethogram, str]:
    if "cross" not in ethogram.assays:
        have = ", ".join(map(str, ethogram.assays.columns))
        raise UsageError(f"unit='cross' needs a column 'cross' of the assays; there are {have}.")
    pooled = crosses_as_units(ethogram)
    n, m = len(ethogram.assays), len(pooled.assays)
    return pooled, (
        f"unit is the cross: {n} plates pooled into {m} crosses of one genotype and date, because "
        "plates of one vial are not independent (unit='assay' exchanges plates)"
    )


def choose_protocol(ethogram: Ethogram, query: str | None) -> tuple[Ethogram, str]:
    """Keep the assays of one protocol; return them and the protocol's canonical text."""
    known = ethogram.assays["protocol"]
    names = {canonical_protocol(p) for p in known.dropna().unique()}
    if not names and query is None:
        return ethogram, ""
    chosen = match_protocol(query, names)
    same = {p: canonical_protocol(p) == chosen for p in known.dropna().unique()}
    return ethogram.subset(known.map(same).fillna(False).to_numpy(bool)), chosen


def larvae_as_units(ethogram: Ethogram) -> Ethogram:
    """Make every larva an assay of its own."""
    index = ethogram.larvae["assay_index"].to_numpy()
    assays = ethogram.assays.iloc[index].reset_index(drop=True)
    assays["assay"] = assays["assay"] + "/" + ethogram.larvae["larva"].astype("str")
    larvae = ethogram.larvae.assign(assay_index=np.arange(len(index)))
    return Ethogram(
        ethogram.states, ethogram.larva_index, ethogram.state, ethogram.t_start, ethogram.t_stop,
        larvae, assays,
    )  # fmt: skip


def find_controls(assays: pd.DataFrame, control: str | None) -> dict[str, str | None]:
    """Find the control of every genotype that is not a control itself.

    Parameters
    ----------
    assays : DataFrame
        Assay table with ``line effector genotype``.
    control : str, optional
        A genotype, or a line (the control then has each line's own effector). By default
        :data:`DEFAULT_CONTROL` with the line's own effector.

    Returns
    -------
    dict of str to str or None
        Control of each tested genotype, sorted; None where its effector has no control.

    Raises
    ------
    UsageError
        No such control, or several.
    """
    known = assays[["line", "effector", "genotype"]].drop_duplicates()
    known = known.sort_values("genotype", ignore_index=True)
    genotypes = list(known["genotype"])
    own = known[known["line"] == (DEFAULT_CONTROL if control is None else control)]
    if control in genotypes and len(own) <= 1:
        return {g: control for g in genotypes if g != control}
    if own.empty:
        raise UsageError(_no_control(assays, control))
    by_effector = dict(zip(own["effector"].fillna(""), own["genotype"], strict=True))
    # a line that was named, and exists with one effector only, is the control of all
    fallback = own["genotype"].iloc[0] if len(own) == 1 and control is not None else None
    lines = known[~known["genotype"].isin(own["genotype"])]
    effectors = lines["effector"].fillna("")
    return {
        g: by_effector.get(e, fallback) for g, e in zip(lines["genotype"], effectors, strict=True)
    }


def _no_control(assays: pd.DataFrame, control: str | None) -> str:
    sizes = assays["genotype"].value_counts()
    candidates = ", ".join(f"{g} ({n} assays)" for g, n in sizes.head(6).items())
    if control is None:
        return (
            f"no genotype of this source is the usual control ({DEFAULT_CONTROL} with the line's "
            f"effector); name one with --control: those with most assays are {candidates}."
        )
    lines, genotypes = set(assays["line"]), set(assays["genotype"])
    starts = sorted(g for g in genotypes if g.startswith(control))
    if len(starts) > 1:
        return f"control {control!r} is ambiguous: {_some(starts)} begin with it; name one of them."
    close = starts or get_close_matches(control, sorted(lines | genotypes), n=3, cutoff=0.5)
    hint = f"did you mean {_some(close)}?" if close else f"those with most assays are {candidates}."
    return f"control {control!r} is neither a line nor a genotype of this source; {hint}"


def _some(names: Sequence[str] | Iterable[str], most: int = 6) -> str:
    names = list(names)
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def check_states(ethogram: Ethogram, pairs: dict[str, str | None]) -> tuple[str, ...]:
    """Compare the states seen in controls and in lines.

    Returns
    -------
    tuple of str
        A note for states that no control ever shows.

    Raises
    ------
    DataError
        Lines and controls share no state: two vocabularies.
    """
    controls = sorted({c for c in pairs.values() if c is not None})
    if not controls:
        return ()
    is_control = ethogram.assays["genotype"].isin(controls).to_numpy(bool)[ethogram.assay_index]
    in_control = set(np.unique(ethogram.state[is_control]))
    in_lines = set(np.unique(ethogram.state[~is_control]))
    unseen = [ethogram.states[s] for s in sorted(in_lines - in_control)]
    if in_lines and in_control and not in_lines & in_control:
        theirs = [ethogram.states[s] for s in sorted(in_control)]
        raise DataError(
            f"the lines' states ({', '.join(unseen)}) and the controls' ({', '.join(theirs)}) have "
            "no name in common; use one vocabulary for both, or give synonyms."
        )
    if not unseen:
        return ()
    names = ", ".join(unseen)
    return (
        f"never seen in a control: {names}; if that is a spelling, use one name for each state",
    )


def find_genotype(assays: pd.DataFrame, name: str) -> str:
    """Return the genotype that `name` (a genotype, or a line with one effector) stands for.

    Raises
    ------
    UsageError
        Unknown, or a line with several effectors.
    """
    genotypes = sorted(assays["genotype"].unique())
    if name in genotypes:
        return name
    own = sorted(assays.loc[assays["line"] == name, "genotype"].unique())
    if len(own) == 1:
        return str(own[0])
    if own:
        raise UsageError(f"line {name!r} has several effectors: {_some(own)}; name one of them.")
    close = [g for g in genotypes if g.startswith(name)] or get_close_matches(
        name, genotypes, n=3, cutoff=0.5
    )
    hint = f"did you mean {_some(close)}?" if close else f"there are {_some(genotypes)}."
    raise UsageError(f"{name!r} is neither a genotype nor a line of this protocol; {hint}")
