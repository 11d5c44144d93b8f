import re
from collections import Counter

import pytest

from larvastats.errors import UsageError
from larvastats.simulate.design import (
    CONTROL_LINE,
    STRONG_LINE,
    RandomEffects,
    ScreenDesign,
    Tracking,
    generator,
    line_names,
    plan,
)
from larvastats.simulate.states import light_screen

MODEL = light_screen()


def design(lines=("A", "B"), **more):
    return ScreenDesign(MODEL, tuple(lines), **more)


def test_names_have_the_fields_form_and_are_stable():
    names = line_names(500)
    assert names[0] == STRONG_LINE
    assert len(set(names)) == 500
    assert all(re.fullmatch(r"GMR_\d\d[A-H](0[1-9]|1[0-2])_AE_01", name) for name in names)
    assert line_names(12) == names[:12]
    assert STRONG_LINE not in line_names(500, strong_first=False)


def test_plates_are_spread_evenly_over_the_dates():
    plates = plan(design(dates=3, assays_per_line=6, control_assays_per_date=4))
    count = Counter((plate.line, plate.date) for plate in plates)
    assert len(count) == 9
    assert {n for (line, _), n in count.items() if line == CONTROL_LINE} == {4}
    assert {n for (line, _), n in count.items() if line != CONTROL_LINE} == {2}


def test_lines_on_fewer_dates_take_turns():
    plates = plan(design("ABCD", dates=4, dates_per_line=2, assays_per_line=4))
    dates = {line: sorted({p.date for p in plates if p.line == line}) for line in "ABCD"}
    assert [len(d) for d in dates.values()] == [2, 2, 2, 2]
    assert len({d for days in dates.values() for d in days}) == 4


def test_assay_ids_are_unique_and_sorted_even_on_a_crowded_day():
    lines = [f"L{k}" for k in range(600)]
    plates = plan(design(lines, dates=1, assays_per_line=4, control_assays_per_date=300))
    ids = [plate.identity.assay for plate in plates]
    times = [plate.identity.time for plate in plates]
    assert len(set(times)) == len(ids) == 2700
    assert ids == sorted(ids)


def test_a_day_that_is_too_full_is_refused():
    lines = [f"L{k}" for k in range(9100)]
    with pytest.raises(UsageError, match="spread them over more dates"):
        plan(design(lines, dates=1, assays_per_line=4))


def test_a_generator_depends_on_every_part_of_its_key():
    draws = {
        float(generator(*key).random())
        for key in [(0, "plate", "A", "d", 0), (1, "plate", "A", "d", 0), (0, "plate", "B", "d", 0),
                    (0, "plate", "A", "e", 0), (0, "plate", "A", "d", 1), (0, "vial", "A", "d", 0)]
    }  # fmt: skip
    assert len(draws) == 6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dates": 0}, "dates must be a whole number of at least 1, but is 0"),
        ({"assays_per_line": 1.5}, "assays_per_line must be a whole number"),
        ({"control_assays_per_date": 0}, "control_assays_per_date must be"),
        ({"dates_per_line": 0}, "dates_per_line must be"),
        ({"larvae": 0}, "larvae must be a whole number"),
        ({"larvae": (5, 4)}, "range from low to high"),
        ({"larvae": (1, 2, 3)}, "number or a range of two"),
        ({"larvae_of": {"A": 0}}, r"larvae_of\['A'\] must be"),
        ({"lines": ("A", "A")}, "Line 'A' occurs twice"),
        ({"lines": (CONTROL_LINE,)}, "occurs twice among the lines and the control"),
        ({"lines": ("A@B",)}, "Line 'A@B' cannot name a folder"),
        ({"lines": ("",)}, "Line '' cannot name a folder"),
    ],
)
def test_a_design_that_cannot_be_is_one_sentence(change, words):
    with pytest.raises(UsageError, match=words):
        design(**change)


def test_bad_standard_deviations_and_probabilities_are_refused():
    with pytest.raises(UsageError, match="deviation plate must lie between 0 and 3"):
        RandomEffects(plate=-0.1)
    with pytest.raises(UsageError, match="deviation date must lie"):
        RandomEffects(date=float("nan"))
    with pytest.raises(UsageError, match="found must be a probability"):
        Tracking(found=1.2)
    with pytest.raises(UsageError, match="loss must not be negative"):
        Tracking(loss=-1)


def test_too_many_lines_are_refused():
    with pytest.raises(UsageError, match="at most 8000"):
        line_names(8001)
    with pytest.raises(UsageError, match="lines must be a whole number of at least 1"):
        line_names(0)
