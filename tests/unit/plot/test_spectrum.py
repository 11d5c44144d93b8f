"""Spectra of good and bad sequences."""

from types import SimpleNamespace

import numpy as np
import pytest

from larvastats.plot.spectrum import plot_spectrum


def spectra(n_bad: int) -> SimpleNamespace:
    k = np.arange(1, 50)
    return SimpleNamespace(
        harmonic=k, good=1 / k**2, bad=1 / k if n_bad else np.full(49, np.nan), n_good=90,
        n_bad=n_bad, high_good=np.logspace(-4, -3.5, 900),
        high_bad=np.logspace(-4, -2, 10 * n_bad), cutoff=7, threshold=1e-3, chosen=5e-4,
    )  # fmt: skip


@pytest.mark.parametrize("n_bad", [0, 10])
def test_both_kinds_and_both_thresholds(pictures, n_bad: int):
    figure = plot_spectrum(spectra(n_bad))
    amplitudes, shares = figure.axes
    assert len(amplitudes.lines) == (2 if n_bad else 1)
    np.testing.assert_array_equal(amplitudes.lines[0].get_ydata(), 1 / np.arange(1, 50) ** 2)
    assert [line.get_xdata()[0] for line in shares.lines] == [1e-3, 5e-4]
    said = pictures.texts(figure)
    assert any(f"90 sequences kept, {n_bad} dropped" in text for text in said)
    figure.canvas.draw()
