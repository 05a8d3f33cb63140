"""``report.html``: a run on one self-contained page, without scripts or anything fetched."""

import io
from pathlib import Path
from typing import Any

from PIL import Image

from ganzfeld.health import parts_of_quality
from ganzfeld.losses import Loss
from ganzfeld.model.grid import GAP
from ganzfeld.printable import duration
from ganzfeld.recipes import changes
from ganzfeld.regular import read_regular
from ganzfeld.runs.report.charts import HEIGHT, WIDTH, charts_of, place
from ganzfeld.runs.report.curves import curve_chart
from ganzfeld.runs.report.page import data_url, environment
from ganzfeld.runs.report.quality_words import quality_in_words
from ganzfeld.runs.run import Run
from ganzfeld.runs.watched_run import WatchedRun

LARGEST_GRID, MOST_PIXELS = 2**28, 2**28
"""The limits in bytes and pixels for a sample grid; 64 images of 1024x1024 px have a quarter of them."""

MOST_ROWS = 10
"""The most rows of fixed seeds through time; with more sample grids, an even selection is shown."""


def write_report(run: Run) -> Path:
    """Write the report of a run in its present state; return the path of the file.

    Raises ``ResourceError`` if it cannot be written.
    """
    journal, evidence, verdict = run.journal, run.evidence, run.diagnose()
    grids, about = run.sample_files, _about_watched(run) if isinstance(run, WatchedRun) else _about_run(run)
    height_px = about["size"][-1]
    shown = [run.path / "reals.png", *_selection(grids)]
    page = (
        environment("ganzfeld.runs.report")
        .get_template("report.html")
        .render(
            name=run.path.name,
            **about,
            verdict=verdict,
            parts=parts_of_quality(evidence),
            spans=[(finding, place(evidence, finding.since_images)) for finding in verdict.findings],
            charts=charts_of(evidence, verdict.findings),
            chart_size=(WIDTH, HEIGHT),
            last=journal[-1] if journal else None,
            trained_for=duration(journal[-1].get("seconds", 0.0)) if journal else "",
            quality=_quality(run, journal[-1]["images_seen"]) if journal else "",
            reals=_embedded(run.path / "reals.png"),
            grid=_embedded(grids[-1]) if grids else "",
            film=[(int(path.stem), _first_row(path, height_px)) for path in _selection(grids)],
            unreadable=[path.name for path in shown if _decode(path) is None],
            curves=_curves(journal, about["paired"]),
        )
    )
    run.folder.write_bytes("report.html", page.encode())
    return run.path / "report.html"


def _about_run(run: Run) -> dict[str, Any]:
    """Return what the page says about the settings of a run."""
    recipe = run.recipe
    return {
        "metadata": run.metadata,
        "recipe": recipe,
        "size": recipe.size,
        "changed": changes(recipe),
        "details": recipe.model_dump_json(indent=2),
        "paired": recipe.loss.build().paired,
    }


def _about_watched(run: WatchedRun) -> dict[str, Any]:
    """Return what the page says about a loop that was watched."""
    watched = run.watched
    return {
        "metadata": watched,
        "recipe": None,
        "size": watched.size,
        "changed": (),
        "details": watched.model_dump_json(indent=2),
        "paired": watched.loss is not None and Loss(watched.loss).paired,
    }


def _quality(run: Run, images_seen: int) -> str:
    if isinstance(run, WatchedRun):
        return "its kernel distance is not measured, since there is no model"
    return quality_in_words(run, images_seen)


def _selection(grids: list[Path]) -> list[Path]:
    """Select at most ``MOST_ROWS`` of the sample grids, including the first and the last."""
    if len(grids) <= MOST_ROWS:
        return grids
    last = len(grids) - 1
    return [grids[round(index * last / (MOST_ROWS - 1))] for index in range(MOST_ROWS)]


def _embedded(path: Path) -> str:
    """Return a PNG file as a data URL, or an empty string if it cannot be read."""
    image = _decode(path)
    return _png_url(image) if image else ""


def _first_row(path: Path, height_px: int) -> str:
    """Return the first row of a sample grid as a data URL, or an empty string if it cannot be read."""
    image = _decode(path)
    if image is None:
        return ""
    return _png_url(image.crop((0, 0, image.width, min(image.height, height_px + GAP))))


def _decode(path: Path) -> Image.Image | None:
    """Decode a sample grid; return None for a file that is not a PNG of a sensible size."""
    try:
        with Image.open(io.BytesIO(read_regular(path, LARGEST_GRID)), formats=("PNG",)) as image:
            if image.width * image.height > MOST_PIXELS:
                return None
            image.load()
            return image
    except Exception:  # noqa: BLE001  Pillow raises any exception for damaged files
        return None


def _png_url(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return data_url("image/png", buffer.getvalue())


def _curves(journal: list[dict[str, Any]], paired: bool) -> list[tuple[str, str, str]]:
    """Return the title, the explanation and the drawing of each curve chart."""
    meaning = "with this loss only their difference matters" if paired else "above 0 means real"
    charts = [
        (
            "Losses",
            "If the discriminator loss falls to 0 and stays there, the generator no longer learns from it. "
            "Two lines that keep their distance are normal.",
            {"generator": "loss_generator", "discriminator": "loss_discriminator"},
        ),
        (
            "Mean logits",
            f"The discriminator's output: {meaning}. If the lines drift far apart, the discriminator has "
            "won. If they cross again and again, the two networks are oscillating.",
            {"real images": "logit_real", "generated images": "logit_fake"},
        ),
    ]
    if not journal:
        return []
    return [
        (title, explanation, data_url("image/svg+xml", curve_chart(journal, lines).encode()))
        for title, explanation, lines in charts
    ]
