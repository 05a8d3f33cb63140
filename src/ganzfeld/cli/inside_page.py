"""The end of every command that looks into a run: it shows its result, and adds it to ``inside.html``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from ganzfeld.cli.speech import show_result
from ganzfeld.errors import GanzfeldError
from ganzfeld.launch import launch
from ganzfeld.progress import tell
from ganzfeld.run_layout import RECIPE


@dataclass(frozen=True)
class Shown:
    """What ``inside.html`` shows of a command; see ``ganzfeld.inside.page.section.section``."""

    images: Mapping[str, bytes] = field(default_factory=dict)
    files: Sequence[Path] = ()
    settings: dict[str, object] = field(default_factory=dict)
    table: Sequence[Sequence[str]] = ()
    images_seen: int | None = None
    """How many images the model had been trained on: the run may have gone further since."""


def show_and_keep(
    context: typer.Context, run: Path, result: dict[str, Any], text: str, as_json: bool, shown: Shown
) -> None:
    """Print the result of a command that looked into ``run``, and add a section to the page of the run.

    ``result`` holds a ``sentence``, and ``notes`` if there are any; ``page`` is added, the path of the page.
    A page that cannot be written is only noted, since the result is in the files of the user.
    """
    page = _keep(context, run, result, shown)
    if page is not None:
        text += f"\npage     {page}"
    show_result(result | {"page": page and str(page)}, text, as_json)


def _keep(context: typer.Context, run: Path, result: Mapping[str, Any], shown: Shown) -> Path | None:
    """Add a section to the page of a run; return None if it is a model folder, or the page is not written."""
    from ganzfeld.inside.page import add_section
    from ganzfeld.inside.page.section import section

    if not launch().speaks or not (run / RECIPE).is_file():
        return None
    seen = shown.images_seen
    model = {"model": None if seen is None else f"after {seen:,} images"}
    try:
        entry = section(
            context.command_path.removeprefix("ganzfeld "),
            context.obj,
            result["sentence"],
            images=shown.images,
            files=shown.files,
            settings=shown.settings | model,
            table=shown.table,
            notes=result.get("notes", ()),
        )
        page, notes = add_section(run, entry)
    except (GanzfeldError, OSError, ValueError) as error:
        tell(f"not added to the page of the run: {error}")
        return None
    for note in notes:
        tell(note)
    return page
