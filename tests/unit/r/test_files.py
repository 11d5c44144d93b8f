"""Requests in files: which pickles are loaded, and which are left alone."""

import json
import os
import pickle

import pytest

from larvastats.r.files import ANSWER, REQUEST, answer_folder
from larvastats.r.parts import GONE


class Trap:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (self.trace,)


@pytest.fixture
def folders(tmp_path):
    for name in ("request", "keep", "elsewhere"):
        (tmp_path / name).mkdir()
    return tmp_path


def ask(folders, handle):
    request = {"verb": "plot", "arguments": {"x": {".handle": str(handle)}}}
    text = json.dumps(request | {"keep": str(folders / "keep")})
    (folders / "request" / REQUEST).write_text(text)
    answer_folder(folders / "request")
    return (folders / "request" / ANSWER).read_text()


@pytest.mark.parametrize("where", ["elsewhere/x.pickle", "keep/../elsewhere/x.pickle", "link"])
def test_a_pickle_of_another_folder_is_not_loaded(folders, where):
    (folders / "elsewhere" / "x.pickle").write_bytes(pickle.dumps(Trap(str(folders / "trace"))))
    path = folders / where
    if where == "link":
        path = folders / "keep" / "x.pickle"
        path.symlink_to(folders / "elsewhere" / "x.pickle")
    assert GONE in ask(folders, path)
    assert not (folders / "trace").exists()


def test_a_pickle_of_the_session_is_loaded(folders):
    path = folders / "keep" / "x.pickle"
    path.write_bytes(pickle.dumps(Trap(str(folders / "trace"))))
    ask(folders, path)
    assert (folders / "trace").exists()
