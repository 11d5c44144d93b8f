"""The two ways in which larvastats says no."""

import unicodedata

LONGEST = 4000
"""Characters of a sentence; names from damaged files may have any length."""

_ENDING = 900  # of a sentence that is cut: it says what to do


class LarvastatsError(Exception):
    """Base of every error that is meant for the user: one sentence, no traceback."""

    exit_code = 1

    def __init__(self, sentence: str) -> None:
        """Make the sentence; what names from files bring along stays on one line, and visible."""
        super().__init__(_shortened(one_line(sentence)))


def one_line(text: str) -> str:
    """Write line ends, control characters and marks of direction visibly, as Python does."""
    if text.isprintable():
        return text
    return "".join(c if _is_shown(c) else c.encode("unicode_escape").decode() for c in text)


def _is_shown(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _shortened(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST - _ENDING - 5]} ... {text[-_ENDING:]}"


class DataError(LarvastatsError):
    """The data do not allow what was asked (exit code 1)."""

    exit_code = 1


class UsageError(LarvastatsError):
    """The call itself is wrong (exit code 2)."""

    exit_code = 2
