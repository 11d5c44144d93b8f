"""Files of an examination; all of them, or none."""

from __future__ import annotations

from pathlib import Path

from generative.diagnostics.diagnose import Diagnosis
from generative.diagnostics.films import write_film
from generative.diagnostics.pictures import draw_page, draw_strips
from larvastats.export.documents import write_json
from larvastats.export.staging import staged
from larvastats.io.files import AnyPath
from larvastats.plot.save import save_figure


def write_diagnosis(found: Diagnosis, folder: AnyPath, command: str | None = None) -> list[Path]:
    """Write tables, document, page, strips and film.

    Returns
    -------
    list of Path
        ``diagnosis.json``, ``gates.csv``, ``numbers.csv``, ``effects.csv``, ``page.png``,
        ``strips.png`` (both also as svg), ``larvae.gif``, ``provenance.json``; ``permuted.csv``
        where genotypes were permuted.

    Raises
    ------
    UsageError
        The folder may not be written to.
    DataError
        The disk is full; nothing is left half-written.
    """
    with staged(str(folder), found, command) as (stage, files):
        write_json(found.to_json(), stage / "diagnosis.json")
        for name, table in (("gates", found.tidy()), ("numbers", found.numbers()),
                            ("effects", found.effects())):  # fmt: skip
            table.to_csv(stage / f"{name}.csv", index=False)
        if found.permuted is not None:
            found.permuted.tidy().to_csv(stage / "permuted.csv", index=False)
        save_figure(draw_page(found), stage / "page")
        save_figure(draw_strips(found, found.seed), stage / "strips")
        write_film(found, stage / "larvae.gif", found.seed)
    return files
