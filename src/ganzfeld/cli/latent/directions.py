"""``ganzfeld latent directions``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzfeld.cli.inside_page import Shown, show_and_keep
from ganzfeld.cli.latent.outputs import OfClass, RunFolder, absolute, require_suffix, require_writable
from ganzfeld.cli.speech import Json
from ganzfeld.output import Mark, write_output
from ganzfeld.printable import counted

if TYPE_CHECKING:
    from ganzfeld.inside.directions import Direction, Directions


def command(
    context: typer.Context,
    run: RunFolder,
    kind: Annotated[
        str,
        typer.Option(
            help="attributes (one direction for each known attribute), change (the directions that change "
            "images the most), or auto: attributes if any are known."
        ),
    ] = "auto",
    num: Annotated[int, typer.Option("--n", help="Number of directions of --kind change.")] = 5,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Attributes to find directions for, such as beard=none,mouth; repeatable."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="Table (CSV or other text) with a column of file names and one of labels."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Images with labels, such as a folder per class. Default: those of the run."),
    ] = None,
    step: Annotated[float, typer.Option(help="Length of the largest step, which is tested.")] = 6.0,
    seed: Annotated[int, typer.Option(help="Seed of the image that is edited.", min=0, max=2**63 - 1)] = 0,
    of: OfClass = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="PNG file to write; the directions are written beside it as .npy. Default: "
            "RUN-directions.png."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Find directions that change images, and test them.

    The PNG has a row per direction: seven images from minus to plus the largest step. Directions of
    attributes are tested on latents that were not used to find them, beside random directions.

    Example: ganzfeld latent directions runs/faces-001 --only beard=none,skin
    """
    from ganzfeld.inside import latent_directions, latent_model
    from ganzfeld.inside.sheets import direction_sheet
    from ganzfeld.model import png

    path = out or Path(f"{run.resolve().name}-directions.png")
    require_suffix(path, ".png")
    files = [path, path.with_suffix(".npy")]
    require_writable(files, Mark.LATENT_DIRECTIONS)
    names = [name.strip() for text in only or [] for name in text.split(",")]
    chosen_kind: Any = kind.strip().lower()
    model = latent_model(run)
    result = latent_directions(
        model.run or run,
        chosen_kind,
        num=num,
        only=names,
        data=data,
        labels=labels,
        of=of,
        step=step,
        progress=True,
    )
    rows, names_shown = direction_sheet(model, result, model.latents([seed])[0])
    sheet = png(rows)
    for file, content in zip(files, (sheet, _npy(result)), strict=True):
        write_output(file, content, Mark.LATENT_DIRECTIONS)
    where: dict[str, Any] = {"run": str(run.resolve()), "files": absolute(files)}
    shown = Shown(
        images={f"from -{step:g} to {step:g} along each direction": sheet},
        files=files,
        settings={"kind": result.kind, "seed": seed, "step": f"{step:g}", "class": of},
        table=_table(result),
        images_seen=model.images_seen,
    )
    values = where | _as_json(result, names_shown, of)
    show_and_keep(context, run, values, _text(result, files, len(names_shown)), json, shown)


def _npy(result: "Directions") -> bytes:
    """Return the directions as the bytes of an ``.npy`` file."""
    import io

    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, result.vectors.numpy())
    return buffer.getvalue()


def _as_json(result: "Directions", names_shown: Sequence[str], of: str | None) -> dict[str, Any]:
    """Return what the directions do as plain data."""
    return {
        "kind": result.kind,
        "step": result.step,
        "directions": [_direction_as_json(entry) for entry in result.directions],
        "shown": names_shown,
        "success": result.success.as_json() if result.success else None,
        "collateral": result.collateral.as_json() if result.collateral else None,
        "random_success": result.random_success,
        "random_collateral": result.random_collateral,
        "reader": result.reader or None,
        "class": of,
        "sentence": result.sentence,
    }


def _direction_as_json(entry: "Direction") -> dict[str, Any]:
    """Return a direction as plain data; its vector is in the file."""
    success, collateral = entry.success, entry.collateral
    return {
        "name": entry.name,
        "success": success.value if success else None,
        "success_interval": [success.low, success.high] if success else None,
        "collateral": collateral.value if collateral else None,
        "collateral_interval": [collateral.low, collateral.high] if collateral else None,
        "share": entry.share,
        "strength": entry.strength,
    }


def _table(result: "Directions") -> list[list[str]]:
    """Return a heading, and a row per direction with its figures."""
    if result.kind == "change":
        rows = [
            [entry.name, f"{entry.share:.1%}", f"{entry.strength:.1f} times"] for entry in result.directions
        ]
        return [["direction", "share of the change", "as far as random"], *rows]
    rows = [
        [
            entry.name,
            *(figure.text if figure else "not tested" for figure in (entry.success, entry.collateral)),
        ]
        for entry in result.directions
    ]
    return [["direction", "success", "others changed"], *rows]


def _text(result: "Directions", files: Sequence[Path], num_shown: int) -> str:
    """Return a line per direction, the files (images and vectors), and whether it worked."""
    path, vectors = files
    width = max(len(entry.name) for entry in result.directions)
    lines = []
    for entry in result.directions:
        if result.kind == "change":
            figures = f"{entry.share:.1%} of the change, {entry.strength:.1f} times as far as random"
        else:
            success, collateral = (
                figure.text if figure else "not tested" for figure in (entry.success, entry.collateral)
            )
            figures = f"success {success}, others changed {collateral}"
        lines.append(f"{entry.name.ljust(width)}  {figures}")
    count = counted(len(result.directions), "direction")
    return "\n".join([*lines, "", f"{count} in {vectors}, {num_shown} shown in {path}", result.sentence])
