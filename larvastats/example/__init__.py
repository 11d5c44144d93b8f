"""The built-in example: a simulated light screen of a dozen lines with known effects."""

from pathlib import Path


def example_path() -> Path:
    """Return the path of the example's table of bouts; ``truth.json`` lies beside it."""
    return Path(__file__).parent / "light_screen.parquet"
