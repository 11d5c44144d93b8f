"""``larvastats info``."""

from __future__ import annotations

from larvastats.cli import options as o

EXAMPLES = (
    "larvastats info my_database",
    "larvastats info bouts.csv --control w1118",
)


def info(
    source: o.Source = None,
    control: o.Control = None,
    gap: o.Gap = None,
    exclude: o.Exclude = None,
    format: o.Format = "auto",
    labels: o.Labels = "large",
    min_bout: o.MinBout = 0.0,
    fps: o.Fps = None,
    px_per_mm: o.PxPerMm = None,
    resamples: o.Resamples = 10_000,
    json: o.Json = False,
) -> None:
    """Look before you screen: protocols, assays by date, controls, smallest possible p."""
    from larvastats.cli import show
    from larvastats.verbs import info as verb

    show.announce(source)
    result = verb.info(
        source,
        control=control,
        gap=gap,
        resamples=resamples,
        **o.loading(format, labels, min_bout, fps, px_per_mm, exclude),
    )
    if json:
        show.json_document("info", result, [])
    else:
        show.info(result)
