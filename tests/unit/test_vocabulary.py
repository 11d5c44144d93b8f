import pytest
from hypothesis import given
from hypothesis import strategies as st

from larvastats.vocabulary import LARVA_STATES, SYNONYMS, order_states, rename_states


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("run", "run"),
        ("Run", "run"),
        ("crawl", "run"),
        ("CRAWL", "run"),
        ("head cast", "cast"),
        ("Head-Cast", "cast"),
        ("bend", "cast"),
        ("backward crawl", "back"),
        ("Back-Up", "back"),
        ("small motion", "small_motion"),
        ("static-bend", "static_bend"),
        ("Rearing", "Rearing"),
        ("  Rearing ", "Rearing"),
        ("7", "7"),
    ],
)
def test_known_words_become_the_standard_names_and_others_stay(label, name):
    assert rename_states([label]) == {label: name}


def test_synonyms_can_be_switched_off_but_spelling_variants_cannot():
    assert rename_states(["crawl", "Stop"], {}) == {"crawl": "crawl", "Stop": "stop"}


def test_own_synonyms_replace_the_usual_ones():
    assert rename_states(["crawl", "walk"], {"walk": "run"}) == {"crawl": "crawl", "walk": "run"}


def test_every_synonym_leads_to_a_larva_action():
    assert set(SYNONYMS.values()) <= set(LARVA_STATES)


def test_order_is_the_trackers_then_the_alphabet():
    names = ["zigzag", "roll", "small_motion", "active", "run", "static_bend", "hunch"]
    assert order_states(names) == (
        "run", "hunch", "roll", "small_motion", "static_bend", "active", "zigzag",
    )  # fmt: skip


def test_weak_and_strong_actions_stand_beside_each_other():
    names = ["cast_weak", "run_weak", "small_motion", "run_strong", "cast_strong"]
    assert order_states(names) == (
        "run_strong", "run_weak", "cast_strong", "cast_weak", "small_motion",
    )  # fmt: skip


@given(st.lists(st.text(max_size=8)))
def test_order_depends_on_the_set_only(names):
    ordered = order_states(names)
    assert order_states(reversed(names)) == ordered == order_states(ordered)
    assert set(ordered) == set(names)


@given(st.lists(st.sampled_from(["Run", "crawl", "bend", "Back up", "x", "X y"])))
def test_renaming_twice_changes_nothing(labels):
    once = set(rename_states(labels).values())
    assert set(rename_states(once).values()) == once
