"""What every test shares: real data, no global random state, hypothesis profiles, no screen."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

# Before anything imports matplotlib; the environment also reaches the processes tests start.
os.environ["MPLBACKEND"] = "Agg"

import hypothesis
import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

hypothesis.settings.register_profile(
    "local",
    max_examples=30,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "ci",
    hypothesis.settings.get_profile("local"),
    derandomize=True,
    print_blob=True,
)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")

# The samplers and the seed; reading or restoring the state changes no result.
_GLOBAL_RNG = {"ranf", "sample", "seed"} | {
    name
    for name, function in vars(np.random).items()
    if getattr(function, "__self__", None) is np.random.mtrand._rand
} - {"get_state", "set_state"}


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data beside the repository, or under ``$LARVASTATS_SHARED``."""
    given = os.environ.get("LARVASTATS_SHARED")
    shared = Path(given) if given else REPOSITORY.parent / "shared"
    data = shared / "data"
    if given and not data.is_dir():
        pytest.fail(f"LARVASTATS_SHARED is set to {given}, which has no folder data")
    if not data.is_dir():
        pytest.skip("real data absent: no ../shared/data beside the repository")
    return data


@pytest.fixture(scope="session")
def hypothesis_has_run() -> None:
    """Run Hypothesis once: it then takes and keeps the functions that reset NumPy's state.

    It resets the state before every example; taken later they would be the forbidden ones.
    """
    hypothesis.given(hypothesis.strategies.none())(lambda _: None)()


@pytest.fixture(autouse=True)
def no_global_rng(monkeypatch: pytest.MonkeyPatch, hypothesis_has_run: None) -> Iterator[None]:
    """Make every function of NumPy's global random state raise, and check the state after."""

    def forbid(name: str):
        def forbidden(*args: object, **kwargs: object) -> None:
            raise AssertionError(
                f"np.random.{name} uses the global random state: "
                "pass a seed to np.random.default_rng instead"
            )

        return forbidden

    for name in _GLOBAL_RNG:
        monkeypatch.setattr(np.random, name, forbid(name))
    before = np.random.get_state()  # noqa: NPY002
    yield
    after = np.random.get_state()  # noqa: NPY002
    # libraries reach the state without the functions above, such as SciPy without a seed
    assert before[2:] == after[2:] and np.array_equal(before[1], after[1]), (
        "something drew from NumPy's global random state"
    )


@pytest.fixture(autouse=True)
def no_open_figures() -> Iterator[None]:
    """Close the figures that a test leaves open."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
