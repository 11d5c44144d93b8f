"""trx.mat files made here value by value, as MATLAB lays them out, and files written by `write`."""

import re

import h5py
import numpy as np
import pandas as pd
import pytest

from larvastats.errors import DataError, UsageError
from larvastats.io import trx
from larvastats.io.paths import make_identity

PROTOCOL = "r_LED100_30s2x15s30s#n#n#n"
ASSAY = f"t15/GMR_1@UAS_X/{PROTOCOL}/20200131_093000"
HEADER = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Fri Jan 31 2020 HDF5 schema 1.00 ."


def matlab_value(value):
    """An array as MATLAB's column-major memory appears in HDF5."""
    if isinstance(value, str):
        return np.array([[ord(character)] for character in value], dtype=np.uint16)
    if np.ndim(value) == 0:
        return np.array([[float(value)]])
    return np.asarray(value)[np.newaxis] if np.ndim(value) == 1 else np.asarray(value)


def craft(path, larvae, *, direct=False, variable="trx"):
    """Write a struct array field by field."""
    with h5py.File(path, "w", userblock_size=512) as file:
        group, refs = file.create_group(variable), file.create_group("#refs#")
        for field in dict.fromkeys(name for larva in larvae for name in larva):
            values = [matlab_value(larva[field]) for larva in larvae]
            if direct:
                group[field] = values[0]
                continue
            targets = [refs.create_dataset(f"{field}{i}", data=v) for i, v in enumerate(values)]
            references = np.array([[target.ref for target in targets]], dtype=h5py.ref_dtype)
            group.create_dataset(field, data=references)
    with open(path, "r+b") as raw:
        raw.write(HEADER)
    return path


def larva(number=1, t=(0, 0.1, 0.2, 0.3), **fields):
    known = {
        "t": np.array(t, dtype=float), "numero_larva_num": number, "numero_larva": str(number),
        "id": "20200131_093000", "neuron": "GMR_1", "stimuli": "UAS_X", "protocol": PROTOCOL,
        "pipeline": "t15", "full_path": "/somewhere", "x_spine": np.zeros((11, 4)),
    }  # fmt: skip
    return known | fields


def coded(field="global_state_large_state", values=(1, 1, 2, 3), **more):
    return larva(**{field: np.array(values, dtype=float)}, **more)


def signs(active, names, n=4):
    """±1 series: `active` gives the name that is +1 at every time."""
    return {name: np.where([a == name for a in active], 1.0, -1.0) for name in names}


def pair(one):
    """The same larva twice, as numbers 1 and 2."""
    return [one, one | {"numero_larva_num": 2, "numero_larva": "2"}]


def named(ethogram, individual=0):
    mine = ethogram.larva_index == individual
    return [ethogram.states[code] for code in ethogram.state[mine]]


def reads(tmp_path, larvae, *args, direct=False, **more):
    return trx.read(craft(tmp_path / "trx.mat", larvae, direct=direct), *args, **more)


# -- layouts ---------------------------------------------------------------------------------------


def test_references_one_per_larva(tmp_path):
    path = craft(tmp_path / "trx.mat", [coded(), coded(number=12, values=(4, 4, 5, 6))])
    assert trx.sniff(path)
    ethogram = trx.read(path)
    assert ethogram.states == ("run", "cast", "stop", "hunch", "back", "roll")
    assert ethogram.larvae["larva"].tolist() == ["1", "12"]
    assert named(ethogram, 1) == ["hunch", "back", "roll"]
    np.testing.assert_allclose(ethogram.t_stop[:3], [0.2, 0.3, 0.4])


def test_one_larva_without_references(tmp_path):
    ethogram = reads(tmp_path, [coded()], direct=True)
    assert named(ethogram) == ["run", "cast", "stop"]


def test_rows_instead_of_columns(tmp_path):
    one = coded()
    upright = one | {name: one[name][:, np.newaxis] for name in ("t", "global_state_large_state")}
    ethogram = reads(tmp_path, pair(one))
    assert reads(tmp_path, pair(upright)).equals(ethogram, atol=0)


def test_only_the_fields_asked_for_are_touched(tmp_path):
    path = craft(tmp_path / "trx.mat", [coded(), coded(number=2)])
    with h5py.File(path, "r+") as file:
        del file["trx/x_spine"], file["trx/full_path"]
        file["trx/x_spine"] = h5py.SoftLink("/nowhere")
    assert trx.read(path).n_bouts == 6


def test_identity_comes_from_the_file(tmp_path):
    assay = reads(tmp_path, [coded()]).assays.iloc[0]
    assert assay["assay"] == ASSAY
    assert (assay["genotype"], assay["protocol"]) == ("GMR_1@UAS_X", PROTOCOL)
    assert (assay["tracker"], assay["date"], assay["time"]) == ("t15", "20200131", "093000")


def test_the_path_fills_what_the_file_does_not_say(tmp_path):
    silent = {key: v for key, v in coded().items() if key in ("t", "global_state_large_state")}
    folder = tmp_path / "t15" / "GMR_1@UAS_X" / (PROTOCOL + "@100") / "20200131_093000"
    folder.mkdir(parents=True)
    assay = trx.read(craft(folder / "trx.mat", [silent, silent])).assays.iloc[0]
    assert assay["assay"] == ASSAY
    assert assay["genotype"] == "GMR_1@UAS_X"


def test_the_file_is_believed_before_the_path(tmp_path):
    identity = make_identity("t5", "Z", "E", "n#n#n#n", "20190101_000000")
    assert reads(tmp_path, [coded()], identity=identity).assays["assay"].tolist() == [ASSAY]


def test_an_id_that_is_no_date_names_the_assay(tmp_path):
    assay = reads(tmp_path, [coded(id="plate 7")]).assays.iloc[0]
    assert assay["assay"] == "plate 7"
    assert pd.isna(assay["date"])


def test_several_recordings_in_one_file(tmp_path):
    two = [coded(), coded(id="20200201_093000"), coded(number=2)]
    ethogram = reads(tmp_path, two)
    assert ethogram.assays["date"].tolist() == ["20200131", "20200201"]
    assert ethogram.larvae_per_assay.tolist() == [2, 1]


def test_larvae_with_proper_names_keep_them(tmp_path):
    both = [coded(numero_larva="left"), coded(number=2, numero_larva="right")]
    assert reads(tmp_path, both).larvae["larva"].tolist() == ["left", "right"]


def test_larvae_without_numbers_are_counted(tmp_path):
    bare = {k: v for k, v in coded().items() if not k.startswith("numero")}
    assert reads(tmp_path, [bare, bare]).larvae["larva"].tolist() == ["1", "2"]


# -- labels ----------------------------------------------------------------------------------------

STRENGTHS = (0.5, 1, 1.5, 7)
LABELS = {
    "large": ("large", coded(values=(1, 6, 7, 5)), ["run", "roll", "small_motion", "back"]),
    "post-processed": ("large", coded(values=(8, 9, 9, 2)), ["state_8", "state_9", "cast"]),
    "global state": ("large", coded("global_state"), ["run", "cast", "stop"]),
    "large before global": (
        "large", coded() | {"global_state": np.full(4, 6.0)}, ["run", "cast", "stop"],
    ),
    "all": (
        "all", coded("global_state_small_large_state", STRENGTHS),
        ["run_weak", "run_strong", "cast_weak", "small_motion"],
    ),
    "strong": (
        "strong", coded("global_state_small_large_state", (0.5, 1, 2, 2.5)),
        ["small_motion", "run", "cast", "small_motion"],
    ),
    "signs": (
        "large", larva(**signs(["run", "run", "hunch", "stop"], trx.LARVA_STATES)),
        ["run", "hunch", "stop"],
    ),
    "large signs before signs": (
        "large",
        larva(
            **signs(["run_large"] * 4, ["run_large", "cast_large"]),
            **signs(["cast"] * 4, ["run", "cast"]),
        ),
        ["run"],
    ),
    "small motion where nothing else is": (
        "large",
        larva(
            **signs(["run", "none", "none", "cast"], ["run", "cast"]),
            small_motion=np.array([1, 1, 1, -1.0]),
        ),
        ["run", "small_motion", "cast"],
    ),
    "weak and strong signs": (
        "all", larva(**signs(["run_weak", "run_strong"] * 2, ["run_weak", "run_strong"])),
        ["run_weak", "run_strong", "run_weak", "run_strong"],
    ),
    "strong signs": (
        "strong", larva(**signs(["run_weak", "cast_strong"] * 2, ["run_weak", "cast_strong"])),
        ["small_motion", "cast", "small_motion", "cast"],
    ),
    "integers": (
        "large", larva(global_state=np.array([1, 2, 2, 3], np.uint8)), ["run", "cast", "stop"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LABELS)
def test_labels(tmp_path, name):
    choice, one, expected = LABELS[name]
    assert named(reads(tmp_path, pair(one), choice), 1) == expected


def test_frames_without_time_or_label_are_not_tracked(tmp_path):
    t = np.arange(12) * 0.1
    values = np.array([1, 1, np.nan, 0, np.nan, 0, 1, 1, 1, 1, 1, 1])
    t[9] = np.nan
    ethogram = reads(tmp_path, [larva(t=t, global_state=values)])
    np.testing.assert_allclose(ethogram.t_start, [0, 0.6])
    np.testing.assert_allclose(ethogram.t_stop, [0.2, 1.2])


def test_an_untracked_larva_leaves_the_others(tmp_path):
    ethogram = reads(tmp_path, [coded(), coded(number=2, t=[], values=[])])
    assert ethogram.larvae["larva"].tolist() == ["1"]


def test_flicker_can_be_merged(tmp_path):
    t = np.arange(20) * 0.1
    values = np.ones(20)
    values[10] = 3
    assert reads(tmp_path, [larva(t=t, global_state=values)], min_bout=0.25).n_bouts == 1


# -- what is wrong ---------------------------------------------------------------------------------


def test_a_choice_of_labels_that_there_is_not(tmp_path):
    with pytest.raises(
        UsageError, match=r"--labels must be one of large, all, strong.*from a file"
    ):
        reads(tmp_path, [coded()], "labels.csv")


def damaged(tmp_path, change, larvae=None):
    path = craft(tmp_path / "trx.mat", larvae or [coded(), coded(number=2)])
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def set_field(name, data, **more):
    def change(file):
        if name in file["trx"]:
            del file["trx"][name]
        file["trx"].create_dataset(name, data=data, **more)

    return change


def point(name, to):
    """Make both references of a field lead to an object of the file."""

    def change(file):
        reference = h5py.Reference() if to is None else file[to].ref
        set_field(name, np.array([[reference, reference]], dtype=h5py.ref_dtype))(file)

    return change


def huge(file):
    target = file["#refs#"].create_dataset("huge", (1, 10**12), "f8", chunks=(1, 10**6))
    set_field("t", np.array([[target.ref, target.ref]], dtype=h5py.ref_dtype))(file)


def huge_rows(file):
    del file["trx/t"]
    file["trx"].create_dataset("t", (1, 10**12), h5py.ref_dtype, chunks=(1, 10**6))


def huge_text(file):
    target = file["#refs#"].create_dataset("huge", (10**12, 1), "u2", chunks=(10**6, 1))
    set_field("id", np.array([[target.ref, target.ref]], dtype=h5py.ref_dtype))(file)


def text_for_times(file):
    target = file["#refs#"].create_dataset("text", data=np.array([[b"abcd"]]))
    set_field("t", np.array([[target.ref, target.ref]], dtype=h5py.ref_dtype))(file)


def group_for_field(file):
    del file["trx/id"]
    file["trx"].create_group("id")


DAMAGES = {
    "no t": (lambda file: file["trx"].pop("t"), "expected the field 't'.*found.*numero_larva"),
    "no labels": (
        lambda file: file["trx"].pop("global_state_large_state"),
        "expected labels in global_state_large_state or global_state.*--labels",
    ),
    "null reference": (point("t", None), "a reference of field 't' leads nowhere"),
    "reference to a group": (point("t", "trx"), "a reference of field 't' leads nowhere"),
    "null in labels": (point("global_state_large_state", None), "'global_state_large_state' leads"),
    "too few references": (
        set_field("neuron", np.array([[h5py.Reference()] * 3], dtype=h5py.ref_dtype)),
        "expected 2 references in field 'neuron'.*found 3",
    ),
    "a matrix of references": (
        set_field("t", np.array([[h5py.Reference()] * 2] * 2, dtype=h5py.ref_dtype)),
        r"expected a row of larvae in field 't'.*\(2, 2\)",
    ),
    "values instead of references": (
        set_field("global_state_large_state", np.ones((1, 4))), "expected 2 references.*values of",
    ),
    "a group": (group_for_field, "expected values in field 'id', but found a struct"),
    "a matrix of times": (
        point("t", "#refs#/x_spine0"), r"expected a series in field 't'.*\(11, 4\)",
    ),
    "text for times": (text_for_times, "expected numbers in field 't'"),
    "numbers for text": (point("neuron", "#refs#/x_spine0"), "expected a text in field 'neuron'"),
    "labels of another length": (
        point("global_state_large_state", "#refs#/numero_larva_num0"),
        "expected 4 values in field 'global_state_large_state' of larva number 1.*found 1",
    ),
    "huge series": (huge, "field 't' declares more than 100,000,000 values"),
    "huge struct": (huge_rows, "expected a row of larvae in field 't'"),
    "huge text": (huge_text, "expected a text in field 'id'.*shape"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_structures_are_refused_in_a_sentence(tmp_path, name):
    change, words = DAMAGES[name]
    path = damaged(tmp_path, change)
    with pytest.raises(DataError, match=words) as caught:
        trx.read(path)
    assert re.fullmatch(re.escape(str(path)) + r": .*\.", str(caught.value))


CONTENTS = {
    "unknown code": ([coded(values=(1, 2, 42, 2.25))], "2 values of .*no known label .first: 42"),
    "negative code": ([coded(values=(1, -3, 1, 1))], "no known label .first: -3"),
    "two actions": (
        [larva(run=np.ones(4), cast=np.ones(4))], "one action at a time.*cast and run.*4 frames",
    ),
    "no label at all": ([coded(values=[np.nan] * 4)], "labelled frames, but no larva has one"),
    "no frame at all": ([coded(t=[], values=[])], "no larva has one"),
    "no line": ([coded(neuron="")], "expected the line in the field 'neuron' or in the folder"),
    "a time twice": ([coded(t=(0, 0.1, 0.1, 0.2))], "come twice"),
    "a larva twice": ([coded(), coded()], "come twice"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTENTS)
def test_wrong_content_is_refused_in_a_sentence(tmp_path, name):
    larvae, words = CONTENTS[name]
    with pytest.raises(DataError, match=words):
        reads(tmp_path, larvae)


FOREIGN = {
    "empty": (b"", "it is empty"),
    "text": (b"t,state\n0,run\n", "expected a MATLAB 7.3 file, but it begins with b't,state"),
    "MATLAB 5": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + bytes(600), "version 5.*-v7.3"),
    "header only": (HEADER + bytes(600), "damaged or cut off"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_files_are_refused_in_a_sentence(tmp_path, name):
    content, words = FOREIGN[name]
    path = tmp_path / "trx.mat"
    path.write_bytes(content)
    assert not trx.sniff(path)
    with pytest.raises(DataError, match=words):
        trx.read(path)


def test_another_variable_is_refused_with_what_was_found(tmp_path):
    path = craft(tmp_path / "trx.mat", [coded()], variable="ctrax")
    assert not trx.sniff(path)
    with pytest.raises(DataError, match=r"struct array 'trx'.*the file holds ctrax"):
        trx.read(path)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_cut_off_files_are_refused_in_a_sentence(tmp_path, share):
    path = craft(tmp_path / "trx.mat", [coded(), coded(number=2)])
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match="damaged or cut off"):
        trx.read(path)
