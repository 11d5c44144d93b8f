"""Text formats by their grammar: tables, rows of points, lists, protocols, paths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from fuzz_bytes import NAMES, name, pick

Rng = np.random.Generator
STAMP = "20150701_105504"

CELLS: tuple[str, ...] = (
    "", " ", "0", "-0", "1", "-1", "1.5", "1,5", "1e3", "1E-300", "1e308", "1e309", "-1e999",
    "nan", "NaN", "NA", "na", "inf", "-Infinity", "0x10", "1_000", "1.", ".5", ".", "-", "+1",
    "--1", "1.2.3", "9" * 18, "9" * 25, "1" + "0" * 400, "0." + "0" * 400 + "1", "True", "null",
    "1 2", "١", "1d", "2020-01-31", "#DIV/0!", "'1'", '"1"', '""', '"', "1e", "e5", "5e-324",
    "9223372036854775807", "9223372036854775808", "4294967296", "1e15", "-1e15",
)  # fmt: skip
"""What people and programs write where a number should be."""


def _cell(rng: Rng, usual: str, odd: float) -> str:
    if rng.random() >= odd:
        return usual
    return pick(rng, CELLS) if rng.random() < 0.6 else name(rng)


def _quoted(cell: str, delimiter: str, quoting: float, rng: Rng) -> str:
    if rng.random() < quoting or (delimiter in cell and rng.random() < 0.9):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _joined(rows: Sequence[Sequence[str]], delimiter: str, rng: Rng) -> bytes:
    end = pick(rng, ("\n", "\n", "\n", "\r\n", "\r"))
    quoting = pick(rng, (0.0, 0.0, 0.1, 1.0))
    lines = [delimiter.join(_quoted(c, delimiter, quoting, rng) for c in row) for row in rows]
    text = end.join(lines) + (end if rng.random() < 0.95 else "")
    if rng.random() < 0.05:
        text = pick(rng, ("\ufeff", "\n", "sep=;\n", "sep=,\n", "# note\n", "\n\n\n")) + text
    code = pick(rng, ("utf-8",) * 27 + ("utf-16", "latin-1", "cp1252"))
    return text.encode(code, "replace")


def table(rng: Rng, frames: bool) -> bytes:
    """A tidy table of bouts or frames, more or less."""
    odd = float(pick(rng, (0.0, 0.02, 0.2)))
    delimiter = pick(rng, (",", ",", ";", "\t", "|"))
    columns = ["assay", "line", "larva", "state", *(["t"] if frames else ["t_start", "t_stop"])]
    extra = ["effector", "protocol", "tracker", "date", "time", "wind", "t", "genotype"]
    columns += [c for c in extra if rng.random() < 0.2 and c not in columns]
    if rng.random() < 0.3:
        rng.shuffle(columns)
    header = [_cell(rng, column, odd / 4) for column in columns]
    rows, t = [header], 0.0
    for i in range(int(rng.integers(0 if odd else 1, 14))):
        if i % 5 == 0:
            t = 0.0
        usual = {
            "assay": f"p{i // 10}", "line": f"l{i // 10}", "larva": str(i // 5),
            "state": str(pick(rng, ("run", "cast", "stop", "walk", ""))) or "run",
            "t": f"{t:g}", "t_start": f"{t:g}", "t_stop": f"{t + 1:g}", "date": "20200131",
            "time": "093000", "wind": "3.5", "protocol": "r_LED100_30s2x15s30s#n#n#n",
        }  # fmt: skip
        t += 1
        cells = [_cell(rng, usual.get(column, "x"), odd) for column in columns]
        if rng.random() < odd / 3:
            cells = cells[: int(rng.integers(len(cells) + 1))] + ["7"] * int(rng.integers(3))
        rows.append(cells)
    return _joined(rows, delimiter, rng)


def fimtrack(rng: Rng) -> bytes:
    """A FIMTrack table, more or less."""
    odd = float(pick(rng, (0.0, 0.02, 0.2)))
    n, delimiter = int(rng.integers(0 if odd else 1, 5)), pick(rng, (",", ",", ";", "\t"))
    rows = [["", *(_cell(rng, f"larva({i})", odd / 4) for i in range(n))]]
    features = ["mom_x", "is_coiled", "left_bended", "right_bended", "go_phase", "spinepoint_1_x"]
    for feature in features:
        if rng.random() < odd:
            continue
        for frame in range(int(rng.integers(1, 5))):
            at = _cell(rng, str(frame), odd / 16)
            cells = [_cell(rng, str(int(rng.integers(2))), odd) for _ in range(n)]
            if rng.random() < odd / 4:
                cells = cells[1:]
            rows.append([_cell(rng, f"{feature}({at})", odd / 8), *cells])
    return _joined(rows, delimiter, rng)


def _number(rng: Rng, odd: float) -> str:
    return _cell(rng, f"{rng.normal(0, 50):.3f}", odd)


def schleyer(rng: Rng) -> bytes:
    """Rows of 78 cells, more or less."""
    odd = float(pick(rng, (0.0, 0.002, 0.05)))
    rows = []
    for step in range(int(rng.integers(0 if odd else 1, 5))):
        width = 77 if rng.random() > odd else int(rng.integers(0, 90))
        pad = " " if rng.random() < 0.5 else ""
        cells = [_number(rng, odd) if rng.random() < 0.98 else "na" for _ in range(width)]
        rows.append([_cell(rng, str(step), odd), *(cell + pad for cell in cells)])
    return _joined(rows, ",", rng)


def points(rng: Rng, *, n_points: int | None, lead: bool) -> bytes:
    """Rows of a spine (so many points), or of an outline (any number)."""
    odd = float(pick(rng, (0.0, 0.005, 0.1)))
    blank = pick(rng, (" ", " ", " ", "\t", "  "))
    lines = []
    for i in range(int(rng.integers(0 if odd else 1, 9))):
        n = int(rng.integers(0, 20)) if n_points is None or rng.random() < odd else n_points
        cells = [_cell(rng, f"{i / 10:.3f}", odd), *(_number(rng, odd) for _ in range(2 * n))]
        if rng.random() < odd:
            cells.append("1.000")
        if lead:
            cells = [_cell(rng, STAMP, odd / 4), _cell(rng, f"{i // 4 + 1:05d}", odd), *cells]
        lines.append(blank.join(cells))
    end = pick(rng, ("\n", "\n", "\n", "\r\n", "\n\n"))
    return (end.join(lines) + (end if rng.random() < 0.95 else "")).encode("utf-8", "replace")


def exclusion(rng: Rng) -> bytes:
    """A list of assays, patterns and comments."""
    stars = ("*", "?", "[a-z]", "[!x]", "[", "]", "[[", "[]", "[z-a]", "[--]", "[a&&b]", "[]-a]",
             "[!]", "***", "*a*a*a*a*a*a*a*b", "\\", "(?P<x>", "(a+)+$", "[^a]",
             "[\\d-z]")  # fmt: skip
    lines = []
    for _ in range(int(rng.integers(0, 12))):
        parts = [
            pick(rng, stars) if rng.random() < 0.4 else pick(rng, (name(rng), STAMP, "t5/A@B/p"))
            for _ in range(int(rng.integers(1, 4)))
        ]
        comment = pick(rng, ("", "", " # why", "#", "  #"))
        lines.append("".join(parts) + comment)
    return "\n".join(lines).encode("utf-8", "replace")


def protocol(rng: Rng) -> bytes:
    """A protocol, more or less, and a specification of windows, with a line feed between."""
    kinds = ("r_LED100", "p_8", "ch_95grad", "fe_0", "st_90", "paired", "n", "", "r", "_", "p__")
    times = ("30s2x15s30s", "0s150x1s3s", "2s100x1s5s", "0s0x0s0s", "1s1x1s1",
             "1.5s3x0.5s2s", "0s2x0s0s", "-1s1x1s1s",
             "1s1x1s1s1s1x1s1s", "٣s1x1s1s", "1s1x1e5s1s",
             "0.000001s7x0.000001s0.000001s")  # fmt: skip
    slots = []
    for _ in range(int(rng.integers(0, 7))):
        how = rng.random()
        timed = times if rng.random() < 0.998 else _MANY
        slot = pick(rng, kinds) + "_" + pick(rng, timed) if how < 0.6 else pick(rng, kinds)
        slots.append(slot if how < 0.9 else name(rng))
    specs = ("during", "before", "after", "whole", "each", "during_2", "during_0", "45:60", ":",
             "45:", ":0", "sliding:1:1", "sliding:1:1:0:9",
             "sliding:9999999:0.000001:0:999999999", "sliding:",
             "sliding:0:1", "1:2:3", "60:45", "nan:inf", "during-before", "-", "each-whole", "1e5:",
             "during_999999", "45:60-30:45", "")  # fmt: skip
    text = "#".join(slots) + pick(rng, ("", "", "@100", "@100@100 ", "@"))
    return f"{text}\n{pick(rng, specs) if rng.random() < 0.9 else name(rng)}".encode(
        "utf-8", "replace"
    )


_MANY = ("9s99999x1s1s", "1s50001x1s1s", "99999999s100000x99999999s99999999s")  # slow, hence rare


def path(rng: Rng) -> bytes:
    """A path of a database, more or less."""
    stamp = pick(rng, (STAMP, "99999999_999999", "20150701_1055", "00000000_000000", "٠"))
    folders = [
        pick(rng, ("t5", "t15", "t", "x5", "T5", "t٥", name(rng))),
        pick(rng, ("A@B", "A@", "@B", "A", "A@B@C", name(rng) + "@" + name(rng))),
        pick(rng, ("r_LED100_30s2x15s30s#n#n#n@100", "n#n#n#n", "p", "@100", name(rng))),
        stamp,
        pick(rng, ("trx.mat", "x.csv", f"{stamp}@A@B@t5@p#n#n#n@100.mat", name(rng), "")),
    ]
    if rng.random() < 0.3:
        folders.pop(int(rng.integers(len(folders))))
    if rng.random() < 0.2:
        folders.insert(int(rng.integers(len(folders) + 1)), pick(rng, ("..", ".", "", *NAMES)))
    text = pick(rng, ("/", "", "./", "//", "../")) + pick(rng, ("/", "/", "//")).join(folders)
    return text.encode("utf-8", "surrogateescape")
