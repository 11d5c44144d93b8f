"""The same figure gives the same bytes; a failed write leaves what was there."""

import errno
import os

import pytest

from larvastats.errors import DataError
from larvastats.plot.ranking import plot_ranking
from larvastats.plot.save import save_figure


@pytest.fixture
def figure(pictures):
    return plot_ranking(pictures.screen(3))


def test_writes_png_and_svg_of_the_same_size(figure, tmp_path):
    png, svg = save_figure(figure, tmp_path / "new" / "GMR_72F11.v2")
    assert (png.name, svg.name) == ("GMR_72F11.v2.png", "GMR_72F11.v2.svg")
    assert png.read_bytes().startswith(b"\x89PNG") and b"<svg" in svg.read_bytes()
    width = int.from_bytes(png.read_bytes()[16:20], "big")
    assert width == pytest.approx(150 * figure.get_size_inches()[0], abs=1)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [png.name, svg.name]


def test_same_figure_same_bytes_and_no_date(pictures, tmp_path):
    saved = [save_figure(plot_ranking(pictures.screen(3)), tmp_path / name) for name in "ab"]
    for first, second in zip(*saved, strict=True):
        assert first.read_bytes() == second.read_bytes()
    assert b"<dc:date>" not in saved[0][1].read_bytes()
    assert b"tEXt" not in saved[0][0].read_bytes()


@pytest.mark.parametrize("broken", ["savefig", "replace"])
def test_full_disk_leaves_the_old_picture(figure, tmp_path, monkeypatch, broken):
    png, _ = save_figure(figure, tmp_path / "ranking")
    old = png.read_bytes()

    def full(*args, **kwargs):
        if broken == "savefig":
            args[0].write_bytes(b"half a picture")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(*((figure, "savefig", full) if broken == "savefig" else
                          ("larvastats.plot.save.os.replace", full)))  # fmt: skip
    with pytest.raises(DataError, match=r"ranking\.png could not be written \(No space left"):
        save_figure(figure, tmp_path / "ranking")
    assert png.read_bytes() == old
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ranking.png", "ranking.svg"]


def test_a_file_in_the_place_of_the_directory_is_said(figure, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DataError, match="could not be written"):
        save_figure(figure, tmp_path / "out" / "ranking")
