import errno
import gzip
import stat

import pytest

from larvastats.errors import DataError, UsageError
from larvastats.io.files import open_plain, read_head, reading, replacing, sha256

RAISED = {
    "absent": (FileNotFoundError(errno.ENOENT, "No such file"), UsageError, "no such file"),
    "directory": (IsADirectoryError(errno.EISDIR, "Is a directory"), DataError, "a directory"),
    "forbidden": (PermissionError(errno.EACCES, "Permission denied"), DataError, "permission"),
    "cut off": (EOFError("ended early"), DataError, "complete gzip file.*ended early"),
    "bad gzip": (gzip.BadGzipFile("CRC check failed"), DataError, "complete gzip file.*CRC"),
    "disk": (OSError(errno.EIO, "Input/output error"), DataError, "cannot be read .Input/output"),
    "library": (OSError("Invalid flatbuffers"), DataError, "cannot be read .Invalid flat"),
    "silent": (OSError(), DataError, "no reason given"),
    "memory": (MemoryError(), DataError, "more memory than there is"),
}


@pytest.mark.parametrize("name", RAISED)
def test_errors_of_the_system_become_sentences(name):
    error, kind, words = RAISED[name]
    with pytest.raises(kind, match=words) as caught, reading("my.csv"):
        raise error
    assert str(caught.value).startswith("my.csv: ")
    assert caught.value.__cause__ is error


def test_own_errors_pass_unchanged():
    with pytest.raises(DataError, match=r"^mine$"), reading("my.csv"):
        raise DataError("mine")


def test_real_paths(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        read_head(tmp_path / "nothing")
    with pytest.raises(DataError, match="expected a file, but found a directory"):
        read_head(tmp_path)
    with pytest.raises(UsageError, match="no such file"):
        sha256(tmp_path / "nothing")


def test_gzip_is_known_by_content(tmp_path):
    path = tmp_path / "plain.csv"
    path.write_bytes(gzip.compress(b"hello"))
    assert read_head(path, 4) == b"hell"
    with open_plain(path) as file:
        assert file.read() == b"hello"


def test_a_file_is_replaced_at_the_end_only(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="killed"), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("killed")
    assert path.read_text() == "old"
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [child.name for child in tmp_path.iterdir()] == ["out.csv"]
    assert stat.S_IMODE(path.stat().st_mode) & stat.S_IRUSR


def test_a_full_disk_leaves_the_old_file(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")
    words = r"cannot be written \(No space left on device\).*Nothing that was there has changed"
    with pytest.raises(DataError, match=words), replacing(path) as temporary:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "old"
    assert [child.name for child in tmp_path.iterdir()] == ["out.csv"]


def test_a_folder_that_does_not_exist(tmp_path):
    path = tmp_path / "nowhere" / "out.csv"
    with pytest.raises(DataError, match=r"cannot be written \(No such file"), replacing(path):
        pytest.fail("the block must not run")
