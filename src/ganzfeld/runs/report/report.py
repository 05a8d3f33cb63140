"""``report.html``: a run on one self-contained page; no scripts, nothing fetched."""

import io
from pathlib import Path
from typing import Any

from PIL import Image

from ganzfeld.model.grid import GAP
from ganzfeld.printable import duration
from ganzfeld.recipes import changes
from ganzfeld.regular import read_regular
from ganzfeld.runs.report.charts import HEIGHT, WIDTH, charts_of, place
from ganzfeld.runs.report.page import data_url, environment
from ganzfeld.runs.report.quality_words import quality_in_words
from ganzfeld.runs.run import Run

LARGEST_SHEET, MOST_PIXELS = 2**28, 2**28
"""Bytes and pixels of a sheet that is shown; 64 images of 1024x1024 px have a quarter of that."""

MOST_MOMENTS = 10
"""Rows of the film of fixed seeds; of more sheets an even selection is shown."""


def write_report(run: Run) -> Path:
    """Write the report of a run as it stands; returns the file.

    Raises ``ResourceError`` where it cannot be written.
    """
    journal, evidence, verdict = run.journal, run.evidence, run.diagnose()
    sheets = run.sample_files
    shown = [run.path / "reals.png", *_selection(sheets)]
    page = (
        environment("ganzfeld.runs.report")
        .get_template("report.html")
        .render(
            name=run.path.name,
            metadata=run.metadata,
            recipe=run.recipe,
            changed=changes(run.recipe),
            recipe_json=run.recipe.model_dump_json(indent=2),
            verdict=verdict,
            spans=[(each, place(evidence, each.since_images)) for each in verdict.findings],
            charts=charts_of(evidence, verdict.findings),
            chart_size=(WIDTH, HEIGHT),
            last=journal[-1] if journal else None,
            trained_for=duration(journal[-1].get("seconds", 0.0)) if journal else "",
            quality=quality_in_words(run, journal[-1]["images_seen"]) if journal else "",
            reals=_embedded(run.path / "reals.png"),
            sheet=_embedded(sheets[-1]) if sheets else "",
            film=[(int(sheet.stem), _first_row(sheet, run.recipe.size[1])) for sheet in _selection(sheets)],
            unreadable=[path.name for path in shown if _opened(path) is None],
            curves=_curves(journal, run.recipe.loss.build().paired),
        )
    )
    run.folder.write_bytes("report.html", page.encode())
    return run.path / "report.html"


def _selection(sheets: list[Path]) -> list[Path]:
    """At most ``MOST_MOMENTS`` of the sheets, the first and the last among them."""
    if len(sheets) <= MOST_MOMENTS:
        return sheets
    last = len(sheets) - 1
    return [sheets[round(index * last / (MOST_MOMENTS - 1))] for index in range(MOST_MOMENTS)]


def _embedded(path: Path) -> str:
    """A PNG file as a data address; nothing where it cannot be read."""
    image = _opened(path)
    return _as_png(image) if image else ""


def _first_row(sheet: Path, height_px: int) -> str:
    """The first row of a sheet as a data address; nothing where it cannot be read."""
    image = _opened(sheet)
    if image is None:
        return ""
    return _as_png(image.crop((0, 0, image.width, min(image.height, height_px + GAP))))


def _opened(path: Path) -> Image.Image | None:
    """A sheet, decoded; None for what is no PNG file of a sensible size. The page does without it."""
    try:
        with Image.open(io.BytesIO(read_regular(path, LARGEST_SHEET)), formats=("PNG",)) as image:
            if image.width * image.height > MOST_PIXELS:
                return None
            image.load()
            return image
    except Exception:  # noqa: BLE001  hostile bytes make Pillow raise anything
        return None


def _as_png(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return data_url("image/png", buffer.getvalue())


def _curves(journal: list[dict[str, Any]], paired: bool) -> list[tuple[str, str, str]]:
    """Title, how to read it, and the drawing, of each chart."""
    meaning = "with this loss only their difference counts" if paired else "above 0 means real"
    charts = [
        (
            "Losses",
            "A discriminator's loss that falls to 0 and stays there has stopped teaching; "
            "two lines that keep their distance are usual.",
            {"generator": "loss_generator", "discriminator": "loss_discriminator"},
        ),
        (
            "Mean logits",
            f"What the discriminator answers: {meaning}. Lines that drift far apart mean that it has won, "
            "lines that cross again and again that the two circle each other.",
            {"real images": "logit_real", "generated images": "logit_fake"},
        ),
    ]
    return [(title, reading, _chart(journal, lines)) for title, reading, lines in charts] if journal else []


def _chart(journal: list[dict[str, Any]], lines: dict[str, str]) -> str:
    from matplotlib import rc_context  # half a second to import, and needed here only
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 2.6))
    figure.subplots_adjust(left=0.09, right=0.99, bottom=0.18, top=0.97)
    axes = figure.add_subplot(xlabel="images seen")
    for label, key in lines.items():
        points = [(e["images_seen"], e[key]) for e in journal if e.get(key) is not None]
        axes.plot([x for x, _ in points], [y for _, y in points], label=label, linewidth=1)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="best")
    axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    with rc_context({"svg.fonttype": "none"}):  # letters as letters: half the time and half the bytes
        figure.savefig(buffer, format="svg")
    return data_url("image/svg+xml", buffer.getvalue())
