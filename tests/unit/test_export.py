"""Results as files, all of them or none."""

import errno
import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from larvastats import DataError, Ethogram, UsageError, compare, export, screen, transitions
from larvastats.results import SCREEN_COLUMNS

REPOSITORY = Path(__file__).resolve().parents[2]


def bouts() -> pd.DataFrame:
    """Two lines and a control, four plates each, four larvae each, from one seed."""
    rng = np.random.default_rng(3)
    rows = []
    for line, stay in (("A line/1", 0.5), ("B", 0.2), ("FCF_attP2_1500062", 0.2)):
        for plate in range(4):
            for larva in range(4):
                t, state = 0.0, 0
                while t < 90:
                    dt = rng.exponential(2 if state else 4)
                    rows.append((f"{line} {plate}", line, larva, ("run", "cast", "stop")[state],
                                 t, t + dt))  # fmt: skip
                    t += dt
                    state = (state + (1 if rng.random() > stay else 2)) % 3
    table = pd.DataFrame(rows, columns=["assay", "line", "larva", "state", "t_start", "t_stop"])
    return table.assign(effector="U", protocol="r_LED100_30s2x15s30s#n#n#n")


def snapshot(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*"))}


@pytest.fixture(scope="module")
def ethogram() -> Ethogram:
    return Ethogram.from_bouts(bouts())


@pytest.fixture(scope="module")
def result(ethogram):
    return screen(ethogram, bootstrap=20)


@pytest.fixture
def sketches(monkeypatch) -> None:
    """Small files in the place of pictures, where the pictures do not matter."""

    def sketch(figure: object, stem: Path) -> None:
        for suffix in (".png", ".svg"):
            stem.with_name(stem.name + suffix).write_text("a picture")

    monkeypatch.setattr("larvastats.export.pieces.draw", sketch)
    for plot in ("ranking.plot_ranking", "volcano.plot_volcano", "matrices.plot_matrices"):
        monkeypatch.setattr(f"larvastats.plot.{plot}", lambda *args, **options: None)


def test_a_screen_becomes_its_files_the_same_every_time(result, ethogram, tmp_path):
    target = tmp_path / "new" / "demo"
    paths = export.write_screen(result, target, ethogram=ethogram, command="larvastats screen x")
    names = {path.name for path in paths}
    first = result.table["genotype"].iloc[0]
    assert {path.name for path in target.iterdir()} == names
    assert {"screen.parquet", "screen.csv", "transitions.parquet", "provenance.json"} <= names
    for stem in ("ranking", "volcano", "raster", f"matrices_{export.file_name(first)}"):
        assert {f"{stem}.png", f"{stem}.svg"} <= names
    assert paths[-1].name == "provenance.json"
    assert all(path.stat().st_size > 100 for path in paths)
    before = snapshot(target)
    export.write_screen(result, target, ethogram=ethogram, command="larvastats screen x")
    assert snapshot(target) == before


def test_tables_come_back_as_they_were(result, tmp_path):
    export.write_screen(result, tmp_path, figures=False)
    table = pd.read_csv(tmp_path / "screen.csv")
    assert tuple(table.columns) == SCREEN_COLUMNS
    assert list(table["genotype"]) == list(result.table["genotype"])
    np.testing.assert_array_equal(table["hellinger"], result.table["hellinger"])
    back = pd.read_parquet(tmp_path / "screen.parquet")
    pd.testing.assert_frame_equal(back, result.table, check_dtype=False)
    cells = pd.read_parquet(tmp_path / "transitions.parquet")
    assert list(cells.columns) == list(result.transitions.columns)
    assert not list(tmp_path.glob("*.png"))


def test_provenance_says_how_it_came_about(result, tmp_path):
    export.write_screen(result, tmp_path, figures=False, command="larvastats screen 'my data'")
    text = (tmp_path / "provenance.json").read_text(encoding="utf-8")
    provenance = json.loads(text, parse_constant=pytest.fail)
    assert provenance["larvastats"]
    assert provenance["command"] == "larvastats screen 'my data'"
    assert provenance["seed"] == 0
    assert provenance["checksum"]
    assert provenance["design"]["window"] == "during"
    assert provenance["design"]["stimulus_intervals"] == [[30, 45], [60, 75]]
    assert set(provenance["files"]) == {"screen.parquet", "screen.csv", "transitions.parquet"}


def test_an_earlier_result_leaves_only_what_is_not_its_own(result, tmp_path, sketches):
    (tmp_path / "notes.txt").write_text("mine")
    old = result.table.assign(genotype=[f"old {k}" for k in range(len(result.table))])
    old_cells = result.transitions.assign(genotype="old 0")
    export.write_screen(replace(result, table=old, transitions=old_cells), tmp_path)
    assert (tmp_path / "matrices_old_0.png").exists()
    export.write_screen(result, tmp_path)
    assert not list(tmp_path.glob("matrices_old*"))
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert pd.read_csv(tmp_path / "screen.csv")["genotype"].str.startswith("old").sum() == 0


@pytest.mark.parametrize("text", ["", "[]", '{"files": 3}', "null", '{"larvastats": "1"}'])
def test_a_foreign_provenance_file_is_simply_replaced(result, tmp_path, text):
    (tmp_path / "provenance.json").write_text(text)
    export.write_screen(result, tmp_path, figures=False)
    assert "screen.csv" in json.loads((tmp_path / "provenance.json").read_text())["files"]


def test_a_provenance_file_cannot_delete_files_elsewhere(result, tmp_path):
    outside = tmp_path / "precious"
    outside.write_text("mine")
    target = tmp_path / "out"
    target.mkdir()
    files = dict.fromkeys(["../precious", str(outside), "..", "."], "0")
    (target / "provenance.json").write_text(json.dumps({"larvastats": "1", "files": files}))
    export.write_screen(result, target, figures=False)
    assert outside.read_text() == "mine"


# -- nothing half-written -------------------------------------------------------------------------


def full_disk(*args: object, **kwargs: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    "broken",
    [
        "pandas.DataFrame.to_parquet",
        "pandas.DataFrame.to_csv",
        "matplotlib.figure.Figure.savefig",
        "larvastats.export.staging.write_json",
        "os.fsync",
    ],
)
def test_a_full_disk_leaves_the_old_output_as_it_was(result, tmp_path, monkeypatch, broken):
    export.write_screen(result, tmp_path, figures=False)
    before = snapshot(tmp_path)
    monkeypatch.setattr(broken, full_disk)
    with pytest.raises(DataError, match=r"could not be written.*No space left.*as they were"):
        export.write_screen(replace(result, seed=9), tmp_path, figures="Figure" in broken)
    assert snapshot(tmp_path) == before


def test_a_full_disk_leaves_no_new_directory(result, tmp_path, monkeypatch):
    monkeypatch.setattr("pandas.DataFrame.to_csv", full_disk)
    with pytest.raises(DataError, match="No space left"):
        export.write_screen(result, tmp_path / "a" / "b")
    assert snapshot(tmp_path) == {}


def test_a_bug_in_a_picture_is_no_full_disk_and_leaves_nothing(result, tmp_path, monkeypatch):
    def bug(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("larvastats.plot.ranking.plot_ranking", bug)
    with pytest.raises(ZeroDivisionError):
        export.write_screen(result, tmp_path)
    assert snapshot(tmp_path) == {}


LIMITED = """
import pickle, resource, signal, sys
from larvastats import DataError, export

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with open(sys.argv[1], "rb") as stream:
    result = pickle.load(stream)
resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))
try:
    export.write_screen(result, sys.argv[2], figures=False)
except DataError as error:
    print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="limits of file size are a thing of Unix")
def test_a_real_limit_of_file_size(result, tmp_path):
    target = tmp_path / "out"
    export.write_screen(result, target, figures=False)
    before = snapshot(target)
    (tmp_path / "result").write_bytes(pickle.dumps(replace(result, seed=9)))
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, tmp_path / "result", target],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "could not be written" in done.stdout, done.stderr
    assert "File too large" in done.stdout
    assert snapshot(target) == before


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_file_where_a_directory_should_be(result, tmp_path, below):
    (tmp_path / "file").write_text("mine")
    target = tmp_path / "file" / below
    with pytest.raises(UsageError, match=r"cannot write into .*file.*--out"):
        export.check_writable(target)
    with pytest.raises(UsageError, match="cannot write into"):
        export.write_screen(result, target)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="there is no /proc")
def test_a_directory_nobody_may_write():
    with pytest.raises(UsageError, match="cannot write into /proc/larvastats"):
        export.check_writable("/proc/larvastats")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_directory_without_permission(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(UsageError, match="Permission denied"):
        export.check_writable(tmp_path / "new")


def test_checking_leaves_no_trace(tmp_path):
    export.check_writable(tmp_path / "a" / "b")
    assert snapshot(tmp_path) == {}


def test_a_directory_in_the_place_of_a_file_is_refused_before_anything_moves(result, tmp_path):
    (tmp_path / "screen.csv").mkdir()
    with pytest.raises(DataError, match=r"screen\.csv is a directory"):
        export.write_screen(result, tmp_path, figures=False)
    assert [p.name for p in tmp_path.iterdir()] == ["screen.csv"]


# -- the other results ----------------------------------------------------------------------------


def test_a_comparison_becomes_its_files(ethogram, tmp_path):
    test = compare(ethogram, "B", "FCF_attP2_1500062", bootstrap=20)
    paths = export.write_test(test, tmp_path, command="larvastats compare")
    assert {p.name for p in paths} == {
        "compare.csv", "compare.json", "units.csv", "transitions.parquet", "transitions.csv",
        "matrices.png", "matrices.svg", "provenance.json",
    }  # fmt: skip
    document = json.loads((tmp_path / "compare.json").read_text(), parse_constant=pytest.fail)
    row = pd.read_csv(tmp_path / "compare.csv").iloc[0]
    assert row["p_value"] == document["tidy"][0]["p_value"] == test.p_value
    assert len(pd.read_csv(tmp_path / "units.csv")) == 8


def test_matrices_become_their_files(ethogram, tmp_path):
    result = transitions(ethogram)
    paths = export.write_transitions(result, tmp_path)
    names = [p.name for p in paths]
    assert "matrices_A_line_1@U.png" in names and "matrices_B@U.svg" in names
    back = pd.read_csv(tmp_path / "transitions.csv")
    assert back["n"].sum() == result.table["n"].sum()


def test_many_genotypes_get_pictures_for_the_first_few(ethogram, tmp_path, monkeypatch):
    monkeypatch.setattr("larvastats.export.transitions.MOST_PICTURES", 2)
    paths = export.write_transitions(transitions(ethogram), tmp_path)
    assert len([p for p in paths if p.suffix == ".png"]) == 2


# -- JSON -----------------------------------------------------------------------------------------


def test_what_json_can_hold():
    table = pd.DataFrame(
        {
            "x": [1.5, np.nan, np.inf],
            "n": pd.array([1, None, 3], dtype="Int64"),
            "b": pd.array([True, None, False], dtype="boolean"),
            "s": ["a", None, "c"],
        }
    )
    assert export.jsonable(table) == [
        {"x": 1.5, "n": 1, "b": True, "s": "a"},
        {"x": None, "n": None, "b": None, "s": None},
        {"x": "Infinity", "n": 3, "b": False, "s": "c"},
    ]
    nested = {"a": (np.float64(1.0), np.int64(2), float("-inf")), 3: np.array([[1, 2]])}
    assert export.jsonable(nested) == {"a": [1.0, 2, "-Infinity"], "3": [[1, 2]]}


def test_what_json_cannot_hold_is_an_error_not_a_guess():
    with pytest.raises(TypeError, match="type object has no counterpart in JSON"):
        export.jsonable({"a": object()})


def test_the_document_of_a_result(result):
    document = export.document(result)
    assert document["result"] == "ScreenResult"
    assert [row["genotype"] for row in document["tidy"]] == list(result.table["genotype"])
    assert document["glance"]["n_lines"] == 2
    assert document["seed"] == 0 and document["design"]["statistic"] == "welch"
    json.dumps(document, allow_nan=False)


@pytest.mark.parametrize(
    ("genotype", "name"),
    [("GMR_1@UAS", "GMR_1@UAS"), ("a/b c:d", "a_b_c_d"), ("w[1118]", "w_1118_")],
)
def test_genotypes_as_file_names(genotype, name):
    assert export.file_name(genotype) == name
