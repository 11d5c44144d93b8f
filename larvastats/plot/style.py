"""One look for every picture: fonts, inks, colours of the states, text that fits its place.

Pictures are built with matplotlib's objects, never through pyplot. What matplotlib only offers as
global settings is set while a picture is built and put back afterwards (:func:`styled`).
"""

from __future__ import annotations

import colorsys
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import Any, ParamSpec

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

P = ParamSpec("P")

INK, MUTED, FAINT = "#222222", "#6A6A6A", "#DADADA"
REJECTED, KEPT, UNTESTED = "#D55E00", "#56697A", "#A9B4BE"
STIMULUS_ON, STIMULUS_OFF = "#00A878", "#E0202F"

STATE_COLOURS = {
    "run": "#3F3F3F",
    "cast": "#D55E00",
    "stop": "#009E73",
    "hunch": "#0072B2",
    "back": "#56B4E9",
    "roll": "#F0E442",
    "small_motion": "#BDBDBD",
    "static_bend": "#E69F00",
}
"""The hues that larva papers give the actions, taken from the palette of Okabe and Ito (2008)."""

# Each one is the sRGB colour farthest, in OKLab, from all before it, from white and from the
# larva's states: the smallest distance over normal, protanopic and deuteranopic sight (Machado
# et al. 2009). The first ones are the Okabe-Ito colours themselves.
OTHER_COLOURS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#3F3F3F",
    "#0000A5", "#785A69", "#C3D2B4", "#5A87FF", "#874B00", "#4B005A", "#B4D2FF", "#2D4B87",
    "#A5B487", "#3C2D00", "#0F69F0", "#E1C369", "#69C3C3", "#870F69", "#F05A69", "#6996D2",
    "#C34B3C", "#5A3C00", "#D21EA5", "#B42D4B", "#D28700", "#7878D2",
)  # fmt: skip

MEASURE_DPI = 288
"""Fine enough to measure text to a quarter of a point."""

SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "text.color": INK,
    "text.parse_math": False,  # names of lines may hold dollars and underscores
    "axes.edgecolor": "#9A9A9A",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": "#9A9A9A",
    "ytick.color": "#9A9A9A",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "hatch.linewidth": 0.6,
}


@contextmanager
def context() -> Iterator[None]:
    """Build a picture in larvastats' style, whatever the user's settings, and restore these."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def styled(function: Callable[P, Figure]) -> Callable[P, Figure]:
    """Run a function that builds a figure within :func:`context`."""

    @wraps(function)
    def build(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with context():
            return function(*args, **kwargs)

    return build


def new_figure(width: float, height: float) -> Figure:
    """Return an empty white figure of that size (inches), unknown to pyplot."""
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def axes_at(
    figure: Figure, left: float, top: float, width: float, height: float, **options: Any
) -> Axes:
    """Add axes whose upper left corner is `left`, `top` inches from that of the figure."""
    full_width, full_height = figure.get_size_inches()
    bottom = full_height - top - height
    box = (left / full_width, bottom / full_height, width / full_width, height / full_height)
    return figure.add_axes(box, **options)


def text_at(figure: Figure, left: float, top: float, text: str, **options: Any) -> None:
    """Write a text at `left`, `top` inches from the upper left corner of the figure."""
    width, height = figure.get_size_inches()
    options = {"va": "top", "ha": "left"} | options
    figure.text(left / width, 1 - top / height, text, **options)


def heading(figure: Figure, title: Sequence[str], below: Sequence[str], left: float) -> None:
    """Write the lines of a title and the smaller lines below it, at the top of a figure."""
    top = 0.14
    for line in title:
        text_at(figure, left, top, line, size=12, weight="bold")
        top += 0.22
    for line in below:
        text_at(figure, left, top + 0.03, line, size=9, color=MUTED)
        top += 0.18


def heading_height(title: Sequence[str], below: Sequence[str]) -> float:
    """Return the inches that :func:`heading` takes."""
    return 0.14 + 0.22 * len(title) + 0.18 * len(below) + 0.1


@lru_cache(maxsize=1)
def _renderer() -> RendererAgg:
    return RendererAgg(1, 1, MEASURE_DPI)


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Return the width of one line of text, in inches."""
    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    width, _, _ = _renderer().get_text_width_height_descent(text, font, False)
    return width / MEASURE_DPI


def shorten(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Cut characters out of the middle of a text until it is at most `width` inches wide.

    The beginning and the end of a genotype tell it from its neighbours; the middle does least.
    """
    if text_width(text, size, weight) <= width:
        return text
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        keep = (fits + too_long) // 2
        if text_width(_without_middle(text, keep), size, weight) <= width:
            fits = keep
        else:
            too_long = keep
    return _without_middle(text, fits)


def _without_middle(text: str, keep: int) -> str:
    """Keep that many characters of a text, half of them at its end."""
    return f"{text[: (keep + 1) // 2]}…{text[len(text) - keep // 2 :]}"


def wrap(
    text: str, width: float, size: float, weight: str = "normal", max_lines: int = 2
) -> list[str]:
    """Break a text into lines of at most `width` inches, after blanks or inside names.

    Names break after ``@ _ - # / ,`` where they must, nothing at a no-break space; what does not
    fit the last line is shortened.
    """
    lines = [""]
    for piece in _pieces(re.sub(r"[ \t\n]+", " ", text)):
        fits = text_width((lines[-1] + piece).rstrip(), size, weight) <= width
        if fits or not lines[-1] or len(lines) == max_lines:
            lines[-1] += piece
        else:
            lines.append(piece)
    return [shorten(line.strip(), width, size, weight) for line in lines]


def _pieces(text: str) -> list[str]:
    """Split a text after the characters where a line may break."""
    pieces = [""]
    for character in text:
        pieces[-1] += character
        if character in " @_-#/,":
            pieces.append("")
    return [piece for piece in pieces if piece]


def state_colours(states: Sequence[str]) -> dict[str, str]:
    """Give every state a colour: the larva's states always the same, any others in their order.

    Parameters
    ----------
    states : sequence of str
        Any number; no two get the same colour. Beyond some thirty, colours alone no longer tell
        states apart for every eye.

    Returns
    -------
    dict of str to str
        Hexadecimal sRGB colours.
    """
    colours = {state: STATE_COLOURS[state] for state in states if state in STATE_COLOURS}
    fresh = _unused(set(colours.values()))
    return {state: colours[state] if state in colours else next(fresh) for state in states}


def _unused(taken: set[str]) -> Iterator[str]:
    """Yield colours that are not taken: the chosen ones, then hues a golden section apart."""
    for colour in OTHER_COLOURS:
        if colour not in taken:
            yield colour
    taken = taken | set(OTHER_COLOURS)
    turn = 0
    while True:
        lightness = (0.35, 0.55, 0.75)[turn % 3]
        rgb = colorsys.hls_to_rgb(turn * 0.618034 % 1, lightness, 0.6)
        colour = "#{:02X}{:02X}{:02X}".format(*(round(255 * part) for part in rgb))
        if colour not in taken:
            taken.add(colour)
            yield colour
        turn += 1


def plural(number: int, noun: str) -> str:
    """Write ``1 assay``, ``6 assays``, ``1,234 larvae``."""
    many = "larvae" if noun == "larva" else f"{noun}s"
    return f"{number:,} {noun if number == 1 else many}"


def signed(value: float, digits: int) -> str:
    """Write a number with its sign, a true minus included."""
    return f"{value:+.{digits}f}".replace("-", "−")


def p_label(p: float) -> str:
    """Write a p- or q-value in two significant digits; a dash when there is none."""
    if p != p:
        return "–"
    rounded = float(f"{p:.1e}")
    if rounded < 1e-4:
        return f"{p:.1e}"
    decimals = next(digits for digits in (2, 3, 4, 5) if rounded >= 10.0 ** (1 - digits))
    return f"{rounded:.{decimals}f}"
