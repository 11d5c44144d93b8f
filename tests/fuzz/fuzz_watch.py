"""Runs one input and judges it: a result, a clear sentence, or something that must not happen."""

from __future__ import annotations

import signal
import time
import traceback
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from fuzz_targets import SHAPED, STORE, TARGETS, Target, place

from larvastats.errors import LarvastatsError
from larvastats.ethogram import Ethogram
from larvastats.io.tracks import Tracks

TIMEOUT = 5.0
"""Seconds of the processor for one input; of waiting, four times as many."""

MEMORY = 1024
"""MiB that one input may add to the process."""

LONGEST = 4000
"""Characters of a sentence."""

_BAD = {"Cc", "Cf", "Cs", "Zl", "Zp"}


class TooSlow(BaseException):
    """Raised by the clock; no reader catches it."""


class TooLarge(Exception):
    """The input needed more memory than allowed."""


@dataclass
class Tally:
    """What became of the inputs of one format.

    Attributes
    ----------
    kinds : Counter
        Results, and refusals by the class of the error.
    faults : dict of str to int
        What must not happen, by error and place, and how often.
    slowest : float
        Seconds of the processor.
    largest : float
        MiB that one input added to the process while it was read.
    """

    inputs: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    faults: dict[str, int] = field(default_factory=dict)
    slowest: float = 0.0
    largest: float = 0.0
    seconds: float = 0.0


class Watch:
    """Feeds one target and keeps a tally."""

    def __init__(self, name: str, folder: Path, kept: Path) -> None:
        self.name, self.folder, self.kept = name, folder, kept
        self.target: Target = TARGETS[name]
        self.tally = Tally()
        folder.mkdir(parents=True, exist_ok=True)
        kept.mkdir(parents=True, exist_ok=True)
        for store, own in ((STORE, "store"), (SHAPED, "store with shapes")):
            if name == own:
                store.prepare(folder)
        for number in (signal.SIGALRM, signal.SIGPROF):
            signal.signal(number, _ring)

    def feed(self, data: bytes) -> str:
        """Read one input; return what became of it."""
        (self.folder / "current").write_bytes(data)  # for whoever finds this process dead
        source = place(self.target, self.folder, data)
        before = _reset_peak()
        start = time.process_time()
        kind = self._judged(source)
        seconds, grown = time.process_time() - start, _peak() - before
        if grown > MEMORY and not kind.startswith("FAULT"):
            kind = f"FAULT memory: more than {MEMORY} MiB"
        self._count(kind, data, seconds, grown)
        return kind

    def _judged(self, source: Any) -> str:
        _set_clocks(TIMEOUT)
        try:
            found = self.target.read(source)
            _set_clocks(0)
            check_result(found)
        except LarvastatsError as error:
            _set_clocks(0)
            wrong = wrong_sentence(error, self.folder if self.target.names_file else None)
            if not wrong:
                return type(error).__name__
            return f"FAULT sentence: {wrong} [{_place(error)}]"
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # whatever it is, it must not happen
            _set_clocks(0)
            return f"FAULT {type(error).__name__}: {str(error)[:60]!r} [{_place(error)}]"
        return "result"

    def _count(self, kind: str, data: bytes, seconds: float, grown: float) -> None:
        tally = self.tally
        tally.inputs += 1
        tally.seconds += seconds
        if seconds > max(tally.slowest, 0.05):
            self._keep("slowest", data)
        if grown > max(tally.largest, 32):
            self._keep("largest", data)
        tally.slowest, tally.largest = max(tally.slowest, seconds), max(tally.largest, grown)
        if not kind.startswith("FAULT"):
            tally.kinds[kind] += 1
            return
        key = kind.partition("[")[2] or kind
        key = kind.split(":")[0] + " " + key.rstrip("]")
        tally.faults[key] = tally.faults.get(key, 0) + 1
        if tally.faults[key] <= 3:
            label = "".join(c if c.isalnum() else "_" for c in key)[:100]
            self._keep(f"fault-{label}-{tally.faults[key]}", data)
            (self.kept / f"fault-{label}.txt").write_text(f"{kind}\n{traceback.format_exc()}")

    def _keep(self, label: str, data: bytes) -> None:
        (self.kept / label).write_bytes(data)


def _set_clocks(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, 4 * seconds)


def _ring(signum: int, frame: FrameType | None) -> None:
    raise TooSlow(f"more than {TIMEOUT:g} s")


def _place(error: BaseException) -> str:
    """File and line of the package in which an error came up."""
    own = [f for f in traceback.extract_tb(error.__traceback__) if "/larvastats/" in f.filename]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "elsewhere"


def wrong_sentence(error: LarvastatsError, folder: Path | None) -> str:
    """Say what is wrong with an error meant for people; empty if nothing is."""
    sentence = str(error)
    if any(unicodedata.category(c) in _BAD for c in sentence):
        return "control characters"
    if not sentence.endswith("."):
        return "no full stop"
    if len(sentence) > LONGEST:
        return f"longer than {LONGEST} characters"
    if folder is not None and str(folder) not in sentence:
        return "the file is not named"
    return ""


def check_result(found: Any) -> None:
    """Refuse a result that no analysis could take."""
    if isinstance(found, list):
        for part in found:
            check_result(part)
    if isinstance(found, Ethogram):
        assert np.isfinite(found.t_start).all() and np.isfinite(found.t_stop).all()
        assert (found.t_stop > found.t_start).all()
        assert found.n_bouts == 0 or 0 <= found.state.min() <= found.state.max() < found.n_states
        assert all(str(name).strip() for name in found.larvae["larva"])
    if isinstance(found, Tracks):
        assert np.isfinite(found.t).all()
        assert len(set(found.larvae)) == len(found.larvae)


def _reset_peak() -> float:
    """Forget the largest memory so far, where the system can; return what is used now, MiB."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return float("inf")
    return _status("VmRSS")


def _peak() -> float:
    return _status("VmHWM")


def _status(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    return 0.0
