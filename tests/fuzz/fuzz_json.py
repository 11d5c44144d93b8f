"""Label files: a good document with some of its values replaced, written as JSON or nearly so."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import numpy as np
from fuzz_bytes import name, pick

Rng = np.random.Generator
STAMP = "20150701_105504"
KEYS = ("id", "t", "labels", "names", "colors", "data", "metadata", "runs", "units", "genotype",
        "protocol", "secondarylabels", "dependencies", "tracker", "date_time", "line")  # fmt: skip


_RAW = re.compile(r'"@raw@(.*?)@"')
"""A text that stands for a number, written as Python would not write it."""

NUMBERS = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e308", "9" * 400, "9" * 5000, "-0",
           "1E400", "0.1e-400", "1.0", "2.0", "1.5", "1e15", "-1", "0", "3", "99", "01", "+1", ".5",
           "1.", "0x1", "true", "nul")  # fmt: skip


def document(rng: Rng) -> dict[str, Any]:
    """Return a good label file, in one of the forms met so far."""
    names = ["crawl", "bend", "stop"]
    metadata: dict[str, Any] = {"id": STAMP, "genotype": "A@B", "protocol": "p"}
    found: dict[str, Any] = {
        "metadata": metadata,
        "units": {"t": "s"},
        "labels": names if rng.random() < 0.5 else {"names": names, "colors": ["#000000"] * 3},
        "secondarylabels": ["edited"],
        "dependencies": [{"filename": "x.spine", "sha1": "0" * 40}],
    }
    tracks = []
    for larva in range(int(rng.integers(1, 4))):
        n = int(rng.integers(0, 6))
        labels = [pick(rng, (1, 2, [1, 4], [], None, "bend", ["stop", "edited"], [[3]])) for _ in
                  range(n)]  # fmt: skip
        tracks.append({"id": str(larva), "t": [i / 10 for i in range(n)], "labels": labels})
    found["data"] = tracks if rng.random() < 0.8 else {track.pop("id"): track for track in tracks}
    if rng.random() < 0.2:
        return {"runs": {STAMP: found}} if rng.random() < 0.5 else {**found, "runs": {STAMP: found}}
    return found


def _anything(rng: Rng, depth: int = 0) -> Any:
    how = int(rng.integers(9))
    if how < 3 or depth > 3:
        return pick(
            rng, (None, True, False, 0, 1, 2, -1, 0.5, "", "s", "ms", "edited", STAMP, [], {})
        )
    if how == 3:
        return name(rng)
    if how == 4:
        return f"@raw@{pick(rng, NUMBERS)}@"
    if how == 5:
        return pick(rng, ("\ud800", "\udfff\ud800", "a\ud83db", "\x00"))
    if how == 6:
        return {pick(rng, KEYS): _anything(rng, depth + 1) for _ in range(int(rng.integers(4)))}
    if how == 7:
        return [_anything(rng, depth + 1) for _ in range(int(rng.integers(4)))]
    deep: Any = 1
    for _ in range(int(pick(rng, (5, 50, 300)))):
        deep = [deep] if rng.random() < 0.9 else {"labels": deep}
    return deep


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Containers and keys of all values of a document."""
    found, pending = [], [value]
    while pending:
        part = pending.pop()
        keys = list(part) if isinstance(part, dict) else range(len(part))
        for key in keys:
            found.append((part, key))
            if isinstance(part[key], dict | list):
                pending.append(part[key])
    return found


def labels(rng: Rng) -> bytes:
    """Return a label file with up to three values replaced, removed, renamed or doubled."""
    found = document(rng)
    for _ in range(int(pick(rng, (0, 1, 1, 2, 4)))):
        places = _places(found)
        if not places:
            break
        container, key = pick(rng, places)
        how = rng.random()
        if how < 0.6:
            container[key] = _anything(rng)
        elif how < 0.75:
            del container[key]
        elif isinstance(container, dict):
            container[pick(rng, (*KEYS, name(rng)))] = container.pop(key)
        else:
            container.insert(key, copy.deepcopy(container[key]))
    return _written(found, rng)


def _written(found: Any, rng: Rng) -> bytes:
    text = _RAW.sub(r"\1", json.dumps(found, ensure_ascii=bool(rng.random() < 0.5)))
    how = rng.random()
    if how < 0.05:  # a key twice
        text = text[:-1] + ', "data": [], "labels": ["x"], "metadata": {}}'
    elif how < 0.08:  # deeper than any parser follows
        text = text.replace("[]", "[" * 20_000 + "]" * 20_000, 1)
    elif how < 0.1:
        text = text.replace("{", '{"a":{', 1)
    elif how < 0.15:
        text = pick(rng, ("\ufeff", " ", "\n", "//x\n", "[", "null")) + text
    return text.encode("utf-8", "surrogatepass")
