"""The two ways in which larvastats says no."""


class LarvastatsError(Exception):
    """Base of every error that is meant for the user: one sentence, no traceback."""

    exit_code = 1


class DataError(LarvastatsError):
    """The data do not allow what was asked (exit code 1)."""

    exit_code = 1


class UsageError(LarvastatsError):
    """The call itself is wrong (exit code 2)."""

    exit_code = 2
