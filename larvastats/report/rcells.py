"""``%%R`` cells that run where R is, and say in one sentence that it is not where it is not."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any


def enable_r(shell: Any, needs: Sequence[str] = ()) -> str:
    """Make the cell magic ``%%R`` work in a notebook, or do nothing.

    Parameters
    ----------
    shell : InteractiveShell
        What ``get_ipython()`` returns.
    needs : sequence of str
        R packages that the cells load.

    Returns
    -------
    str
        Empty where R is there; else why not, as the middle of a sentence.
    """
    reason = _load(shell) or _lacking(needs)
    if reason:
        shell.register_magic_function(_skip, magic_kind="cell", magic_name="R")
    return reason


def _skip(line: str, cell: str) -> None:
    """Stand in for ``%%R`` where there is no R."""


def _load(shell: Any) -> str:
    """Load rpy2's magic; return why that failed."""
    heard = io.StringIO()
    try:
        with redirect_stdout(heard), redirect_stderr(heard):
            import rpy2.ipython  # noqa: F401

            shell.run_line_magic("load_ext", "rpy2.ipython")
    except ImportError:
        return "rpy2 is not installed (pip install 'larvastats[r]')"
    except Exception as error:  # R is missing, or another one than rpy2 was built for
        return f"rpy2 does not work with this R ({str(error).splitlines()[0][:120]})"
    return ""


def _lacking(packages: Sequence[str]) -> str:
    from rpy2 import robjects

    # R keeps warnings for the next call of its user, who did not cause them
    ask = robjects.r("function(p) suppressWarnings(requireNamespace(p, quietly = TRUE))")
    lost = [name for name in packages if not ask(name)[0]]
    return f"R has no package {', '.join(lost)}" if lost else ""
