"""Who was recorded, put together from what the caller, the path and the file say."""

from __future__ import annotations

import re
from dataclasses import replace

from larvastats.errors import DataError
from larvastats.io.files import AnyPath
from larvastats.io.paths import AssayIdentity, identify, make_identity

MAX_LENGTH = 255
STAMP = re.compile(r"[0-9]{8}_[0-9]{6}")


def checked_name(text: str, what: str, source: str, *, path_part: bool = True) -> str:
    """Return an id from a file without the blanks around it.

    Ids become names in tables and parts of file names, so that not every text will do.

    Parameters
    ----------
    text : str
    what : str
        What it names, for errors: ``larva id``.
    source : str
        How errors name the input.
    path_part : bool
        Whether it may become part of a path, so that it must not lead out of a folder.

    Raises
    ------
    DataError
        It is empty, too long or not printable; or, as part of a path, ``.`` or ``..``, or with a
        separator in it.
    """
    name = text.strip()
    fits = 0 < len(name) <= MAX_LENGTH and name.isprintable()
    leads_out = name in (".", "..") or "/" in name or "\\" in name
    if not fits or (path_part and leads_out):
        without = " without / and \\" if path_part else ""
        raise DataError(
            f"{source}: expected a {what} of 1 to {MAX_LENGTH} printable characters{without}, but "
            f"found {text[:60]!a}; rename it."
        )
    return name


def settle(
    path: AnyPath,
    given: AssayIdentity | None,
    line: str | None,
    own_id: str,
    own_line: str = "",
) -> tuple[AssayIdentity, tuple[str, ...]]:
    """Decide the identity of a recording.

    Parameters
    ----------
    path : path
        Of the recording.
    given : AssayIdentity, optional
        What the caller says; by default what the path says.
    line : str, optional
        Line, or line@effector; goes before everything else.
    own_id : str
        Name of the assay where no path says it; a ``YYYYMMDD_HHMMSS`` is the recording's own date
        and time, which go before those of its path.
    own_line : str
        The line where nobody else names one.

    Returns
    -------
    identity : AssayIdentity
        With an empty line where nothing names it.
    notes : tuple of str
        What contradicts itself.

    Raises
    ------
    DataError
        `own_id` cannot be a name.
    """
    own_id = checked_name(own_id, "name of the recording", str(path))
    notes: tuple[str, ...] = ()
    known = given or identify(path)
    if known is None:
        own = make_identity("", "", "", "", own_id) if STAMP.fullmatch(own_id) else None
        date, time = (own.date, own.time) if own else (None, None)
        known = AssayIdentity("", own_line, "", "", date, time, own_id)
    stamp = known.assay.rpartition("/")[2]
    if own_id != stamp and STAMP.fullmatch(own_id) and STAMP.fullmatch(stamp):
        notes = (
            f"{path}: the file was recorded at {own_id}, its path says {stamp}; the file is "
            "believed.",
        )
        known = make_identity(known.tracker, known.line, known.effector, known.protocol, own_id)
    if line is not None:
        name, _, effector = line.partition("@")
        known = replace(known, line=name, effector=effector)
    return known, notes
