import json

import numpy as np

from larvastats.divergence import hellinger
from larvastats.example import example_path
from larvastats.io import tidy
from larvastats.simulate.design import STRONG_LINE, ScreenDesign, line_names
from larvastats.simulate.effects import default_effects
from larvastats.simulate.screen import simulate_ethogram
from larvastats.simulate.states import light_screen


def stored_truth():
    return json.loads((example_path().parent / "truth.json").read_text(encoding="utf-8"))


def test_the_example_is_small_and_says_that_it_is_simulated():
    assert example_path().stat().st_size < 2_000_000
    assert stored_truth()["simulated"] is True
    readme = (example_path().parent / "README.md").read_text(encoding="utf-8")
    assert "Simulated, not recorded" in readme


def test_its_seed_makes_it_again():
    model, lines = light_screen(), line_names(12)
    design = ScreenDesign(model, lines, effects=default_effects(model, lines))
    made, truth = simulate_ethogram(design, stored_truth()["seed"])
    assert tidy.read(example_path(), states=model.states).equals(made, atol=1e-3)
    assert json.loads(json.dumps(truth.as_dict()))["effects"] == stored_truth()["effects"]


def test_its_design_is_the_promised_one():
    ethogram = tidy.read(example_path())
    per_line = ethogram.assays.groupby(["line", "date"]).size().unstack()
    control = stored_truth()["control"]
    assert per_line.loc[control].tolist() == [4, 4, 4]
    assert (per_line.drop(control) == 2).all(axis=None)
    assert len(per_line) == 13
    assert len(stored_truth()["null_lines"]) == 5


def test_its_strong_line_is_far_from_the_control_as_in_the_report():
    truth = stored_truth()
    chain = {line: c["windows"]["during"] for c in truth["chains"] for line in c["lines"]}
    divergence = {
        line: hellinger(np.array(chain[line]["transitions"]),
                        np.array(chain[truth["control"]]["transitions"]))
        for line in truth["lines"]
    }  # fmt: skip
    assert 0.48 < divergence[STRONG_LINE] < 0.56
    assert max(d for line, d in divergence.items() if line != STRONG_LINE) < 0.1
    states = truth["model"]["states"]
    run = {line: chain[line]["occupancy"][states.index("run")] for line in chain}
    assert run[STRONG_LINE] < 0.1 < 0.5 < run[truth["control"]]
