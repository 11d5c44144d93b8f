"""Tables between Python and R: larvastats' bridge against rpy2's own converter for pandas.

    python analyses/benchmarks/bench_r.py [--rows 1000000] [--repeats 3]

One table of bouts with texts, a factor, whole numbers, truth values, numbers with gaps and moments
crosses to R and back, in one process with one R; R checks what arrived. The peer is
``rpy2.robjects.pandas2ri`` within ``localconverter``. The machine may be busy: compare the ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from larvastats.r import bridge
from larvastats.r.host import rinterface

CHECK = """function(d) stopifnot(is.data.frame(d), is.factor(d$state), is.integer(d$larva),
  is.logical(d$good), is.character(d$assay), anyNA(d$speed), inherits(d$moment, "POSIXct"))"""


def make_table(rows: int) -> pd.DataFrame:
    """Make bouts of 200 assays."""
    rng = np.random.default_rng(0)
    assays = np.array([f"t15/line@effector/protocol/{20200000 + k}" for k in range(200)])
    speed = rng.normal(size=rows)
    speed[rng.random(rows) < 0.1] = np.nan
    states = ["run", "cast", "stop", "hunch", "back", "roll"]
    return pd.DataFrame(
        {
            "assay": pd.array(assays[rng.integers(0, 200, rows)], dtype="str"),
            "larva": rng.integers(0, 1000, rows).astype(np.int32),
            "state": pd.Categorical.from_codes(rng.integers(0, 6, rows), states),
            "t_start": rng.random(rows) * 90,
            "speed": speed,
            "good": rng.random(rows) < 0.9,
            "moment": pd.to_datetime(rng.integers(0, 10**9, rows), unit="s", utc=True),
        }
    )


def peer() -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Return rpy2's own ways there and back."""
    import rpy2.robjects as robjects
    from rpy2.robjects import pandas2ri
    from rpy2.robjects.conversion import get_conversion, localconverter

    rules = robjects.default_converter + pandas2ri.converter

    def there(table: pd.DataFrame) -> Any:
        with localconverter(rules):
            return get_conversion().py2rpy(table)

    def back(frame: Any) -> Any:
        with localconverter(rules):
            return get_conversion().rpy2py(frame)

    return there, back


def main() -> None:
    """Time both ways of both."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rows", type=int, default=10**6)
    words.add_argument("--repeats", type=int, default=3)
    options = words.parse_args()
    table = make_table(options.rows)
    bridge.to_r(table.head())  # R starts
    check = rinterface().evalr(CHECK)
    taken: dict[str, list[float]] = {}
    for name, (there, back) in {"larvastats": (bridge.to_r, bridge.from_r), "rpy2": peer()}.items():
        for _ in range(options.repeats if name == "larvastats" else 1):
            start = time.perf_counter()
            frame = there(table)
            middle = time.perf_counter()
            found = back(frame)
            end = time.perf_counter()
            taken.setdefault(f"{name} to R", []).append(middle - start)
            taken.setdefault(f"{name} to Python", []).append(end - middle)
            check(frame)
            assert len(found) == len(table) and list(found.columns) == list(table.columns)
            if name == "larvastats":
                pd.testing.assert_frame_equal(found.astype(table.dtypes), table)
    medians = {name: statistics.median(values) for name, values in taken.items()}
    for name, seconds in medians.items():
        print(f"{name:22} {seconds:8.2f} s")
    for way in ("to R", "to Python"):
        ratio = medians[f"rpy2 {way}"] / medians[f"larvastats {way}"]
        print(f"{way}: {ratio:.0f} times as fast as rpy2's converter for pandas")


if __name__ == "__main__":
    main()
