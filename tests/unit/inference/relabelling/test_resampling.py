"""Plans of relabellings and sign flips."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.inference.design.blocks import count_relabellings, make_design
from larvastats.inference.relabelling import resampling
from larvastats.inference.relabelling.resampling import (
    flips_are_exact,
    is_exact,
    null_distribution,
    relabellings,
    seeded,
    sign_flips,
)

sizes = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4)), min_size=1, max_size=3)


def design_of(pairs):
    if len(pairs) == 1:
        m, c = pairs[0]
        return make_design(np.arange(m), np.arange(m, m + c), None)
    line = [f"d{b}" for b, (m, _) in enumerate(pairs) for _ in range(m)]
    control = [f"d{b}" for b, (_, c) in enumerate(pairs) for _ in range(c)]
    rows = np.arange(len(line) + len(control))
    return make_design(rows[: len(line)], rows[len(line) :], np.array(line + control, object))


def collect(design, resamples=50, seed=0):
    return np.concatenate(list(relabellings(design, resamples, np.random.default_rng(seed))))


@given(sizes)
def test_an_enumeration_holds_every_labelling_once_and_the_observed_one_too(pairs):
    design = design_of(pairs)
    plan = collect(design)
    assert is_exact(design) and len(plan) == count_relabellings(design)
    assert len(np.unique(plan, axis=0)) == len(plan)
    assert (plan == design.is_line).all(axis=1).sum() == 1


@given(sizes)
def test_every_relabelling_keeps_the_numbers_on_every_date(pairs):
    design = design_of(pairs)
    plan = collect(design)
    for block, (m, _) in enumerate(design.sizes):
        assert (plan[:, design.block == block].sum(axis=1) == m).all()


@pytest.fixture
def big():
    """Too many labellings to list: two dates of 3 + 9, twice as large as the limit allows."""
    return design_of([(3, 12), (3, 12)])


def test_a_large_design_is_sampled_within_dates(big):
    assert not is_exact(big)
    plan = collect(big, resamples=3000)
    assert len(plan) == 3000
    for block, (m, _) in enumerate(big.sizes):
        assert (plan[:, big.block == block].sum(axis=1) == m).all()


def test_sampled_labels_fall_on_every_assay_alike(big):
    share = collect(big, resamples=5000).mean(axis=0)
    np.testing.assert_allclose(share, 3 / 15, atol=5 * np.sqrt(0.2 * 0.8 / 5000))


def test_the_same_generator_gives_the_same_plan(big):
    np.testing.assert_array_equal(collect(big, 200, seed=4), collect(big, 200, seed=4))
    assert (collect(big, 200, seed=4) != collect(big, 200, seed=5)).any()


def test_chunks_do_not_change_an_enumeration(monkeypatch):
    design = design_of([(2, 3), (2, 2)])
    whole = collect(design)
    monkeypatch.setattr(resampling, "CHUNK", 7)
    np.testing.assert_array_equal(collect(design), whole)


def test_all_sign_flips_of_few_assays():
    flips = np.concatenate(list(sign_flips(4, 99, np.random.default_rng(0))))
    assert flips_are_exact(4)
    assert {tuple(f) for f in flips} == set(product([-1.0, 1.0], repeat=4))
    assert len(flips) == 16


def test_many_assays_flip_at_random():
    assert not flips_are_exact(20)
    flips = np.concatenate(list(sign_flips(20, 4000, np.random.default_rng(0))))
    assert flips.shape == (4000, 20) and set(np.unique(flips)) == {-1.0, 1.0}
    np.testing.assert_allclose(flips.mean(axis=0), 0.0, atol=5 / np.sqrt(4000))


def test_a_null_distribution_keeps_the_order_of_its_plan():
    design = design_of([(2, 3)])
    plan = collect(design)
    null = null_distribution(iter([plan[:4], plan[4:]]), lambda p: {"first": p[:, 0] * 1.0})
    np.testing.assert_array_equal(null["first"], plan[:, 0])


def test_a_generator_depends_on_the_seed_and_on_names_alone():
    def draw(*key):
        return seeded(*key).random()

    assert draw(1, "a", "b") == draw(1, "a", "b")
    assert len({draw(1, "a", "b"), draw(2, "a", "b"), draw(1, "b", "a"), draw(1, "ab", "")}) == 4
