"""Results directories to make pages of, and tools beside these tests."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from larvastats.cli import app

sys.path.insert(0, str(Path(__file__).parent))

PROTOCOL = ("--protocol", "r_LED100_30s2x15s30s")
LINE = "GMR_72F11_AE_01@UAS_CsChrimson_X_0028"
CONTROL = "FCF_attP2_1500062@UAS_CsChrimson_X_0028"


def command(*words: object) -> None:
    """Run a command as if it had been typed: the provenance keeps how."""
    typed = [str(word) for word in words]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["larvastats", *typed])
        result = CliRunner().invoke(app, typed)
    assert result.exit_code == 0, result.output


def make_demo(folder: Path) -> None:
    """Write what `make demo` writes, and nothing else."""
    command("screen", *PROTOCOL, "--out", folder)


def make_full(demo: Path, folder: Path) -> None:
    """Add to the demo everything that a page can show, in subdirectories."""
    shutil.copytree(demo, folder)
    command("calibrate", *PROTOCOL, "--draws", 40, "--resamples", 99, "--out", folder / "calibrate")
    command("power", *PROTOCOL, "--simulations", 20, "--dates", "2,4", "--plates", "1,2",
            "--larvae", "10,30", "--out", folder / "power")  # fmt: skip
    command("habituation", *PROTOCOL, "--resamples", 99, "--out", folder / "habituation")
    command("transitions", *PROTOCOL, "--windows", "before,during", "--no-figures",
            "--out", folder / "transitions")  # fmt: skip
    command("compare", LINE, CONTROL, *PROTOCOL, "--out", folder / "compare")
    write_timecourse(folder / "timecourse")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of `make demo`."""
    folder = tmp_path_factory.mktemp("results") / "demo"
    make_demo(folder)
    return folder


@pytest.fixture(scope="session")
def full(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo with everything that a page can show."""
    folder = tmp_path_factory.mktemp("results") / "full"
    make_full(demo, folder)
    return folder


@pytest.fixture
def copy(demo: Path, tmp_path: Path) -> Path:
    """A copy of the demo's results to damage."""
    folder = tmp_path / "copy"
    shutil.copytree(demo, folder)
    return folder


@pytest.fixture
def change() -> Callable[..., None]:
    """Change what the provenance of a directory says."""

    def change(folder: Path, **values: object) -> None:
        path = folder / "provenance.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


def write_timecourse(folder: Path) -> None:
    """Write files as ``larvastats timecourse --out`` does, with numbers of no meaning."""
    folder.mkdir()
    t = [0.25, 0.75]
    names = {"genotype": [LINE, LINE], "control": [CONTROL, CONTROL]}
    tables = {
        "timecourse": {"genotype": [LINE, CONTROL], "t_start": 0.0, "t_stop": 0.5, "t": t,
                       "mean": 0.5, "low": 0.4, "high": 0.6, "point_low": 0.45, "point_high": 0.55,
                       "n_assays": 6},
        "differences": {**names, "t_start": 0.0, "t_stop": 0.5, "t": t, "difference": -0.1,
                        "low": -0.2, "high": 0.0, "statistic": 2.0, "p_adjusted": 0.5,
                        "differs": False},
        "tests": {"genotype": [LINE, "other"], "control": CONTROL, "method": "maxt", "n_dates": 3,
                  "n_assays": 6, "n_control_assays": 12, "p_value": [0.0003, 0.541],
                  "q_value": [0.0006, 0.541], "p_floor": 0.0003, "null": "exact",
                  "n_resamples": 3375, "seconds_different": [29.5, 0.0], "t_first": [30.5, None],
                  "largest_difference": [-0.757, -0.138], "t_largest": [69.25, 31.75], "note": ""},
        "periods": {"genotype": [LINE], "control": CONTROL, "t_start": 30.5, "t_stop": 45.5,
                    "direction": "below", "largest_difference": -0.719, "t_largest": 41.75,
                    "p_value": 0.0003},
        "responses": {"genotype": [LINE], "n_assays": 6, "baseline": 0.759, "peak_change": -0.759,
                      "t_peak": 34.75, "t_first": 30.0, "p_value": 0.031, "p_floor": 0.031},
        "assays": {"assay": ["a"], "genotype": LINE, "date": "20150701", "t": 0.25, "value": 0.5},
    }  # fmt: skip
    for name, columns in tables.items():
        pd.DataFrame(columns).to_parquet(folder / f"{name}.parquet", index=False)
    design = {
        "title": "Time course of p(run): 2 genotypes", "data_name": "made for a test",
        "stimuli": "red light: 30–45 s", "response": "run", "label": "p(run)", "unit": "",
        "response_text": "p(run), share of the tracked time", "alpha": 0.05,
        "time_text": "0 to 90 s of the recording", "method_text": "max-T over all bins",
        "limits_text": "95%, of the whole curve at once", "baseline_text": "10 s before the onset",
        "genotypes": [CONTROL, LINE],
    }  # fmt: skip
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="400" height="200"><path d="M 0 0"/></svg>'
    for name in ("timecourse", "overlay"):
        (folder / f"{name}.svg").write_text(svg)
    provenance = {
        "larvastats": "0.1.0", "python": "3.11", "command": "larvastats timecourse", "seed": 0,
        "design": design, "notes": ["a note of the time course"], "files": {},
    }  # fmt: skip
    (folder / "provenance.json").write_text(json.dumps(provenance))
