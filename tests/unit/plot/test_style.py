"""Colours, texts that fit, and no trace in matplotlib's settings."""

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import colors

from larvastats.plot import style
from larvastats.vocabulary import EXTRA_LARVA_STATES, LARVA_STATES


def test_larva_states_have_the_same_colours_in_every_vocabulary():
    alone = style.state_colours(["roll"])
    among = style.state_colours(["freeze", *LARVA_STATES, *EXTRA_LARVA_STATES, "wiggle"])
    assert alone["roll"] == among["roll"] == style.STATE_COLOURS["roll"]
    assert set(LARVA_STATES + EXTRA_LARVA_STATES) == set(style.STATE_COLOURS)


@pytest.mark.parametrize("n", [1, 8, 25, 60, 300])
def test_no_two_states_share_a_colour(n):
    states = [*LARVA_STATES, *(f"state {k}" for k in range(n))]
    colours = style.state_colours(states)
    assert list(colours) == states
    assert len({colors.to_hex(c) for c in colours.values()}) == len(states)


def test_the_larva_states_stay_apart_for_colour_blind_eyes():
    # Machado, Oliveira and Fernandes (2009), severity 1.
    protan = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
              [-0.003882, -0.048116, 1.051998]]  # fmt: skip
    deutan = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
              [-0.011820, 0.042940, 0.968881]]  # fmt: skip
    rgb = np.array([colors.to_rgb(style.STATE_COLOURS[s]) for s in LARVA_STATES])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    for sight in (np.eye(3), protan, deutan):
        lab = oklab(np.clip(linear @ np.transpose(sight), 0, 1))
        apart = np.linalg.norm(lab[:, None] - lab, axis=-1)[~np.eye(len(lab), dtype=bool)]
        assert apart.min() > 0.1  # five just noticeable differences of about .02


def oklab(linear):
    """OKLab coordinates of linear sRGB (Ottosson 2020), shape (colour, 3)."""
    lms = linear @ np.transpose(
        [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
         [0.0883024619, 0.2817188376, 0.6299787005]]
    )  # fmt: skip
    return np.cbrt(lms) @ np.transpose(
        [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
         [0.0259040371, 0.7827717662, -0.8086757660]]
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80),
       st.floats(0.3, 4))  # fmt: skip
def test_shortened_text_fits_and_keeps_both_ends(text, width):
    short = style.shorten(text, width, 9)
    assert short == text or (short.count("…") >= 1 and style.text_width(short, 9) <= width)
    if short != text and len(short) > 3:
        assert short[0] == text[0] and short[-1] == text[-1]


def test_wrap_breaks_names_after_their_separators():
    lines = style.wrap("GMR_72F11_AE_01@UAS_Chrimson_Venus_X_0070", 2.0, 9)
    assert len(lines) == 2 and lines[0].endswith(("@", "_"))
    assert "".join(lines) == "GMR_72F11_AE_01@UAS_Chrimson_Venus_X_0070"
    assert all(style.text_width(line, 9) <= 2.0 for line in lines)


def test_building_a_picture_leaves_the_settings_alone(pictures):
    from larvastats.plot.ranking import plot_ranking

    before = dict(mpl.rcParams)
    mpl.rcParams["font.size"] = 31
    try:
        figure = plot_ranking(pictures.screen(3))
        assert mpl.rcParams["font.size"] == 31
        assert max(text.get_size() for text in figure.texts) == 12
    finally:
        mpl.rcParams["font.size"] = before["font.size"]
    assert dict(mpl.rcParams) == before


def test_pictures_are_unknown_to_pyplot(pictures):
    import matplotlib.pyplot as plt

    from larvastats.plot.volcano import plot_volcano

    before = plt.get_fignums()
    plot_volcano(pictures.screen(3))
    assert plt.get_fignums() == before


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.31, "0.31"), (0.0499, "0.050"), (0.00123, "0.0012"), (0.00021, "0.00021"),
     (3.14e-7, "3.1e-07"), (1.0, "1.00"), (0.0999, "0.10"), (float("nan"), "–")],
)  # fmt: skip
def test_p_values_have_two_digits(p, text):
    assert style.p_label(p) == text
