import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from larvastats.errors import DataError, UsageError
from larvastats.io.paths import (
    AssayIdentity,
    database_path,
    identify,
    make_identity,
    walk_database,
)
from larvastats.protocol import parse_protocol

PROTOCOL = "r_LED100_30s2x15s30s#n#n#n"
FOLDERS = f"t15/GMR_72F11@UAS_TNT/{PROTOCOL}/20150701_105504/trx.mat"
EXPECTED = AssayIdentity(
    tracker="t15",
    line="GMR_72F11",
    effector="UAS_TNT",
    protocol=PROTOCOL,
    date="20150701",
    time="105504",
    assay=f"t15/GMR_72F11@UAS_TNT/{PROTOCOL}/20150701_105504",
)


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


# Identity from folders.


@pytest.mark.parametrize("root", [None, "db", "db/t15", "db/t15/GMR_72F11@UAS_TNT"])
def test_folders_give_identity_from_any_root(root):
    assert identify(f"db/{FOLDERS}", root) == EXPECTED
    assert EXPECTED.genotype == "GMR_72F11@UAS_TNT"


def test_path_relative_to_root_uses_the_folders_above(tmp_path):
    root = tmp_path / "t15" / "GMR_72F11@UAS_TNT"
    assert identify(f"{PROTOCOL}/20150701_105504/trx.mat", root) == EXPECTED


def test_path_relative_to_the_current_folder(tmp_path, monkeypatch):
    touch(tmp_path / FOLDERS)
    monkeypatch.chdir(tmp_path / "t15" / "GMR_72F11@UAS_TNT" / PROTOCOL)
    assert identify("20150701_105504/trx.mat", ".") == EXPECTED


def test_linked_genotype_folder_is_looked_up(tmp_path):
    touch(tmp_path / FOLDERS)
    (tmp_path / "mine").symlink_to(tmp_path / "t15" / "GMR_72F11@UAS_TNT")
    path = tmp_path / "mine" / PROTOCOL / "20150701_105504" / "trx.mat"
    assert identify(path, tmp_path / "mine") == EXPECTED


def test_suffix_of_the_protocol_is_not_identity():
    assert identify(FOLDERS.replace("n#n/", "n#n@100/")) == EXPECTED


def test_effector_may_be_empty():
    identity = identify(FOLDERS.replace("@UAS_TNT", "@"))
    assert (identity.line, identity.effector) == ("GMR_72F11", "")
    assert identity.genotype == "GMR_72F11"


def test_genotype_folder_without_tracker(tmp_path):
    path = tmp_path / FOLDERS.removeprefix("t15/")
    identity = identify(path, tmp_path)
    assert identity.tracker == ""
    assert identity.assay == EXPECTED.assay.removeprefix("t15/")
    # Inside a database, the folder above a genotype must be a tracker.
    assert identify(tmp_path / "x" / path.relative_to(tmp_path), tmp_path) is None


@pytest.mark.parametrize(
    ("stamp", "date", "time"),
    [
        ("20231345_101010", None, "101010"),
        ("20230229_101010", None, "101010"),
        ("20230228_256010", "20230228", None),
        ("00000000_999999", None, None),
    ],
)
def test_impossible_date_is_undated_but_kept(stamp, date, time):
    identity = identify(FOLDERS.replace("20150701_105504", stamp))
    assert (identity.date, identity.time) == (date, time)
    assert identity.assay.endswith(f"/{stamp}")
    assert identify(database_path(identity, "trx.mat")) == identity


@pytest.mark.parametrize(
    "path",
    [
        "trx.mat",
        "a/b/c/d/e.csv",
        FOLDERS.replace("@", "_"),
        FOLDERS.replace("@UAS", "@UAS@x"),
        FOLDERS.replace("GMR_72F11@", "@"),
        FOLDERS.replace("_105504", ""),
        FOLDERS.replace("/trx.mat", "/more/trx.mat"),
        "",
    ],
)
def test_other_layouts_have_no_identity(path):
    assert identify(path) is None


# Identity from the file name.


@pytest.mark.parametrize("end", ["@100.spine", "@100.tar.gz", "@100", ".csv", ""])
def test_stem_gives_identity(end):
    name = f"20150701_105504@GMR_72F11@UAS_TNT@t15@{PROTOCOL}{end}"
    assert identify(Path("anywhere") / name) == EXPECTED


def test_stem_keeps_decimals_of_the_protocol():
    name = "20150701_105504@L@E@t5@p_8_2.5s1x3s0s#n#n#n_2.5@100.outline"
    assert identify(name).protocol == "p_8_2.5s1x3s0s#n#n#n_2.5"


@pytest.mark.parametrize(
    "name", ["20150701_105504@L@E@x5@p@100.spine", "2015@L@E@t5@p@100.spine", "a@b@c@d@e@100.csv"]
)
def test_other_stems_have_no_identity(name):
    assert identify(name) is None


# Writing.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tracker": "five"}, "tracker 'five' .* expected t and digits"),
        ({"tracker": ""}, "tracker '' "),
        ({"line": ""}, "genotype '@UAS_TNT' .* one @"),
        ({"effector": "a@b"}, "genotype .* one @"),
        ({"line": "../x"}, "genotype '../x@UAS_TNT' cannot be written"),
        ({"protocol": ".."}, "protocol '..' cannot be written"),
        ({"protocol": ""}, "protocol '' cannot be written"),
        ({"stamp": "today"}, "date and time 'today' .* YYYYMMDD_HHMMSS"),
    ],
)
def test_database_path_refuses_what_it_could_not_read_back(change, message):
    parts = {
        "tracker": "t15",
        "line": "GMR_72F11",
        "effector": "UAS_TNT",
        "protocol": PROTOCOL,
        "stamp": "20150701_105504",
    }
    with pytest.raises(UsageError, match=message):
        database_path(make_identity(**{**parts, **change}), "trx.mat")


@pytest.mark.parametrize("filename", ["", "..", "a/b", "/etc/passwd"])
def test_database_path_refuses_other_folders(filename):
    with pytest.raises(UsageError, match=r"file name .* cannot be written"):
        database_path(EXPECTED, filename)


names = st.text("abcXYZ019_-. é", min_size=1, max_size=12)
protocols = st.text("npr_8s1x.#@ ", min_size=1, max_size=20).map(
    lambda text: f"p{text}z"  # neither blank at an end nor a suffix: canonical as it is
)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 999).map("t{}".format),
    names,
    st.one_of(st.just(""), names),
    protocols,
    st.from_regex(r"[0-9]{8}_[0-9]{6}", fullmatch=True),
    st.sampled_from(["trx.mat", "x.csv", "x@y.spine"]),
)
def test_database_path_round_trip(tracker, line, effector, protocol, stamp, filename):
    identity = make_identity(tracker, line, effector, protocol, stamp)
    path = database_path(identity, filename)
    assert path.name == filename
    assert identify(path) == identity
    assert identify(Path("some") / "db" / path, "some/db") == identity


def test_every_real_path_has_an_identity_of_its_own(shared_data):
    paths = (shared_data / "paths.txt").read_text().split()
    identities = [identify(path) for path in paths]
    assert len(paths) == 270
    assert None not in identities
    assert len({identity.assay for identity in identities}) == 270
    assert {identity.tracker for identity in identities} == {"t2", "t7"}
    assert all(identity.date and identity.time for identity in identities)
    assert [str(database_path(i, "trx.mat")) for i in identities] == paths


def test_every_real_protocol_is_read(shared_data):
    paths = (shared_data / "paths.txt").read_text().split()
    protocols = {identify(path).protocol for path in paths}
    words = set()
    for text in protocols:
        protocol = parse_protocol(text)
        assert len(protocol.slots) == 4
        words.update(protocol.unparsed)
        # Whatever has times is within the longest recording of these two trackers.
        assert all(0 <= start < stop <= 1202 for start, stop in protocol.intervals)
        # And every slot that looks like a timing became a stimulus.
        timed = [slot for slot in protocol.slots if slot.endswith("s") and "x" in slot]
        assert len(protocol.stimuli) == len(timed)
    assert words == {"paired", "unpaired", "post0", "postch", "postchp", "postp"}


# Walking.


def test_walk_is_sorted_and_skips_what_is_hidden(tmp_path):
    kept = [touch(tmp_path / name) for name in ("b/2.csv", "a/b/3.csv", "a/1.mat", "0")]
    for name in (".x", ".git/config", "a/.cache/y.csv", "a/.DS_Store"):
        touch(tmp_path / name)
    assert list(walk_database(tmp_path)) == sorted(kept)


def test_walk_starts_with_the_root_as_given(tmp_path, monkeypatch):
    touch(tmp_path / "db/t1/x.csv")
    monkeypatch.chdir(tmp_path)
    assert list(walk_database("db")) == [Path("db/t1/x.csv")]
    (tmp_path / "link").symlink_to("db")
    assert list(walk_database("link")) == [Path("link/t1/x.csv")]


def test_walk_ends_on_loops_and_lists_each_file_once(tmp_path):
    file = touch(tmp_path / "t5/a/x.csv")
    (tmp_path / "t5/a/up").symlink_to(tmp_path)
    (tmp_path / "t5/self").symlink_to("self")
    (tmp_path / "alias").symlink_to("t5", target_is_directory=True)
    (tmp_path / "t5/a/again.csv").symlink_to("x.csv")
    (tmp_path / "t5/broken.csv").symlink_to("nowhere.csv")
    assert list(walk_database(tmp_path)) == [file]


def test_walk_stays_inside_the_root(tmp_path):
    touch(tmp_path / "outside/secret.csv")
    file = touch(tmp_path / "db/x.csv")
    (tmp_path / "db/folder").symlink_to(tmp_path / "outside")
    (tmp_path / "db/file.csv").symlink_to(tmp_path / "outside/secret.csv")
    assert list(walk_database(tmp_path / "db")) == [file]


def test_walk_follows_links_to_hidden_content_inside_the_root(tmp_path):
    """Content-addressed stores keep files in a hidden folder and link to them."""
    touch(tmp_path / ".store/k1")
    touch(tmp_path / ".store/sub/k2")
    (tmp_path / "t5").mkdir()
    (tmp_path / "t5/trx.mat").symlink_to("../.store/k1")
    (tmp_path / "t5/sub").symlink_to("../.store/sub")
    (tmp_path / "t6").symlink_to(".store")
    found = [str(path.relative_to(tmp_path)) for path in walk_database(tmp_path)]
    assert found == ["t5/sub/k2", "t5/trx.mat"]


def test_walk_ignores_what_is_no_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert list(walk_database(tmp_path)) == []


def test_walk_refuses_what_is_no_folder(tmp_path):
    with pytest.raises(UsageError, match="not a directory; expected a database, found nothing"):
        walk_database(tmp_path / "absent")
    with pytest.raises(UsageError, match="found a file"):
        walk_database(touch(tmp_path / "x.csv"))


def test_walk_names_a_folder_that_cannot_be_read(tmp_path, monkeypatch):
    touch(tmp_path / "t5/x.csv")
    scandir = os.scandir

    def refuse(folder):
        if Path(folder).name == "t5":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"t5' cannot be read \(Permission denied\)"):
        walk_database(tmp_path)
