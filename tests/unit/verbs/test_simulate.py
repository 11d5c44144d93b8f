import json

import numpy as np
import pytest

from larvastats.errors import UsageError
from larvastats.io import tidy
from larvastats.io.source import load
from larvastats.verbs.simulate import simulate

SMALL = {"lines": 2, "assays_per_line": 2, "larvae": 6, "dates": 2, "control_assays_per_date": 1}


def test_a_tidy_screen_and_its_truth(tmp_path):
    made = simulate(tmp_path / "screen", **SMALL, seed=3)
    assert made == tmp_path / "screen"
    ethogram = tidy.read(made / "bouts.parquet")
    assert len(ethogram.assays) == 6
    assert ethogram.genotypes == (
        "FCF_attP2_1500062@UAS_CsChrimson_X_0028",
        "GMR_11E02_AE_01@UAS_CsChrimson_X_0028",
        "GMR_72F11_AE_01@UAS_CsChrimson_X_0028",
    )
    times = np.concatenate([ethogram.t_start, ethogram.t_stop])
    assert (times == np.round(times, 3)).all()
    truth = json.loads((made / "truth.json").read_text())
    assert (truth["seed"], truth["protocol"]) == (3, "r_LED100_30s2x15s30s#n#n#n")
    assert {e["line"] for e in truth["effects"]} == {"GMR_11E02_AE_01", "GMR_72F11_AE_01"}


def test_the_same_seed_gives_the_same_files(tmp_path):
    for name in ("one", "two"):
        simulate(tmp_path / name, **SMALL, seed=1)
    for name in ("bouts.parquet", "truth.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_database_holds_the_same_larvae(tmp_path):
    # 0.1 s frames miss what is shorter, no more.
    tiny = SMALL | {"lines": 1, "assays_per_line": 1, "dates": 1}
    one = load(simulate(tmp_path / "tidy", **tiny))
    two = load(simulate(tmp_path / "trx", **tiny, format="trx"))
    assert one.assays["assay"].tolist() == two.assays["assay"].tolist()
    assert one.assays["date"].tolist() == two.assays["date"].tolist()
    assert one.larvae["larva"].tolist() == two.larvae["larva"].tolist()
    time = [(e.t_stop - e.t_start)[e.state == e.states.index("run")].sum() for e in (one, two)]
    assert time[1] == pytest.approx(time[0], rel=0.02)


def test_an_air_puff_screen_with_effects_from_a_file(tmp_path):
    effects = tmp_path / "effects.toml"
    effects.write_text(
        '[[effect]]\nline = "GMR_11E02_AE_01"\nkind = "transition"\nfrom = "run"\nto = "hunch"\n'
        'window = "during_1"\ndelta = 0.3\n'
    )
    made = simulate(tmp_path / "puffs", protocol="airpuff", effects=effects, **SMALL)
    truth = json.loads((made / "truth.json").read_text())
    assert truth["lines"][0] == "GMR_11E02_AE_01"
    assert truth["null_lines"] == truth["lines"][1:]
    assert truth["effects"][0]["intervals"] == [[45.0, 75.0]]
    chains = [chain["windows"]["during_1"]["transitions"] for chain in truth["chains"]]
    assert chains[1][0][3] - chains[0][0][3] == pytest.approx(0.3, abs=0.02)


def test_without_effects_every_line_is_null(tmp_path):
    made = simulate(tmp_path / "null", effects=[], **SMALL)
    truth = json.loads((made / "truth.json").read_text())
    assert truth["null_lines"] == truth["lines"]


def test_lines_may_be_named(tmp_path):
    made = simulate(tmp_path / "named", **(SMALL | {"lines": ["mine"]}), effects=[])
    assert json.loads((made / "truth.json").read_text())["lines"] == ["mine"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"format": "mp4"},
            "format must be one of tidy, frames, trx, choreography, fimtrack, but is 'mp4'",
        ),
        ({"protocol": "paired"}, "Protocol 'paired' cannot be simulated"),
        ({"lines": 0}, "lines must be a whole number of at least 1, but is 0"),
        ({"larvae": 0}, "larvae must be a whole number of at least 1, but is 0"),
        ({"assays_per_line": -2}, "assays_per_line must be"),
        ({"dates": 0}, "dates must be"),
        ({"plate_sd": -1.0}, "deviation plate must lie between 0 and 3"),
        ({"seed": -1}, "seed must be a whole number from 0 on"),
        ({"effects": [{"line": "nobody"}]}, "unknown line 'nobody'; expected one of GMR_72F11"),
    ],
)
def test_a_bad_argument_is_one_sentence_and_writes_nothing(tmp_path, change, words):
    with pytest.raises(UsageError, match=words):
        simulate(tmp_path / "screen", **(SMALL | change))
    assert not (tmp_path / "screen").exists()


def test_a_directory_in_use_is_refused_before_any_work(tmp_path):
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match=r"holds thesis\.txt; choose another directory"):
        simulate(tmp_path, lines=7999, assays_per_line=500)
