import json

import numpy as np
import pytest
from scipy import stats

torch = pytest.importorskip("torch", reason="needs torch (extra generative)")

from generative.dataset.sequences import read_sequences
from generative.diagnostics.diagnose import diagnose
from generative.diagnostics.permuted import TESTS, p_values, permuted
from larvastats.errors import UsageError


def test_the_first_two_are_welch(rng):
    real, made = ([rng.normal(size=(n, 2)) for n in sizes] for sizes in ((6, 9), (40, 30)))
    for k, row in enumerate(p_values(real, made)):
        for p, (a, b) in zip(row[:2], (real, made), strict=True):
            assert p == pytest.approx(stats.ttest_ind(a[:, k], b[:, k], equal_var=False).pvalue)
        assert row[2] > row[1] or row[1] > 0.5


def test_too_few_assays_and_missing_ones(rng):
    groups = [rng.normal(size=(5, 1)), rng.normal(size=(5, 1))]
    groups[0][:3] = np.nan
    assert np.isnan(next(p_values(groups, groups))).all()


@pytest.mark.parametrize("drawn", [5, 100])
def test_what_rests_on_few_real_assays_is_not_called_for_drawing_many(rng, drawn):
    """A model repeats the error of what it learned; only the third test knows."""
    n, n_real = 2000, 8
    real = [rng.normal(size=(n_real, n)) for _ in range(2)]
    made = [x.mean(axis=0) + 0.5 * rng.normal(size=(drawn, n)) for x in real]
    called = (np.array(list(p_values(real, made))) <= 0.05).mean(axis=0)
    limit = stats.binom.ppf(0.999, n, 0.05) / n
    assert called[0] <= limit and called[2] <= limit
    assert called[1] > (0.15 if drawn == 5 else 0.7)


def test_an_effect_is_found(rng):
    real = [rng.normal(shift, 1, size=(12, 200)) for shift in (2.0, 0.0)]
    made = [x.mean(axis=0) + 0.5 * rng.normal(size=(20, 200)) for x in real]
    called = (np.array(list(p_values(real, made))) <= 0.05).mean(axis=0)
    assert called[2] > 0.9


def test_a_model_is_trained_anew_and_what_it_gave_is_kept(trained, alone):
    sequences = read_sequences(trained / "sequences.h5")
    found = permuted(trained, sequences, 2, alone)
    assert found.p.shape == (2, len(TESTS), len(found.labels))
    assert len({genotype for genotype, _, _ in found.labels}) == 1
    assert np.nanmin(found.p) > 0 and not np.array_equal(found.p[0], found.p[1], equal_nan=True)
    files = sorted((trained / "permuted").iterdir())
    written = [path.stat().st_mtime_ns for path in files]
    again = permuted(trained, sequences, 2, alone)
    assert [path.stat().st_mtime_ns for path in files] == written
    assert np.array_equal(again.p, found.p, equal_nan=True)
    files[0].write_text(files[0].read_text()[:40])  # damaged: it is made anew
    third = permuted(trained, sequences, 2, alone)
    assert np.array_equal(third.p, found.p, equal_nan=True)
    json.loads(files[0].read_text())
    with pytest.raises(UsageError, match="--permutations must be 0, or at least 2, but is 1"):
        permuted(trained, sequences, 1, alone)


def test_the_gate_has_its_number(trained):
    found = diagnose(trained, fold="validation", permutations=2)
    gate = found.gates[-1]
    assert gate.name == "false positives at .05" and gate.verdict in ("met", "missed")
    assert 0 <= gate.value <= 1 and "2 retrainings" in gate.note
    assert len(found.permuted.tidy()) == found.permuted.p[:, 0].size
    json.dumps(found.to_json(), allow_nan=False)
