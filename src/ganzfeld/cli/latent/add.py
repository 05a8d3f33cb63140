"""``ganzfeld latent add``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzfeld.cli.inside_page import Shown, show_and_keep
from ganzfeld.cli.latent.outputs import OfClass, RunFolder, absolute, require_suffix, require_writable
from ganzfeld.cli.seeds import seeds_in
from ganzfeld.cli.speech import Json
from ganzfeld.output import Mark, write_output

if TYPE_CHECKING:
    from ganzfeld.inside.arithmetic import LatentSum


def command(
    context: typer.Context,
    run: RunFolder,
    plus: Annotated[
        list[str] | None, typer.Option(help="Seeds whose mean is added, such as 3,7,9; repeatable.")
    ] = None,
    minus: Annotated[
        list[str] | None, typer.Option(help="Seeds whose mean is subtracted; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the images around the sum.", min=0, max=2**63 - 1)] = 0,
    check: Annotated[
        bool,
        typer.Option(
            "--check/--no-check",
            help="Check whether the sum shows the attributes that its groups call for, where those of the "
            "training images are known. Takes some seconds.",
        ),
    ] = True,
    of: OfClass = None,
    out: Annotated[Path | None, typer.Option(help="PNG file to write. Default: RUN-add.png.")] = None,
    json: Json = False,
) -> None:
    """Add and subtract latents, each the mean of a group of seeds.

    The file shows the groups above their means, and the sum in the middle of eight images beside it. Means
    of three or more seeds are far more reliable than single ones.

    Example: ganzfeld latent add runs/faces-001 --plus 3,7,9 --minus 1,4,8
    """
    from ganzfeld.inside import latent_add, latent_model
    from ganzfeld.inside.sheets import sum_sheet
    from ganzfeld.model import png

    path = out or Path(f"{run.resolve().name}-add.png")
    require_suffix(path, ".png")
    require_writable([path], Mark.LATENT_SUM)
    added, subtracted = ([seeds_in(text) for text in texts or []] for texts in (plus, minus))
    model = latent_model(run)
    result = latent_add(model.run or run, added, subtracted, of=of, seed=seed, check=check, progress=True)
    sheet = png(sum_sheet(result))
    write_output(path, sheet, Mark.LATENT_SUM)
    values = {"run": str(run.resolve()), "files": absolute([path])} | _as_json(result, of)
    shown = Shown(
        images={"the groups above their means, and the sum in the middle of its neighbours": sheet},
        files=[path],
        settings={"plus": " and ".join(plus or []), "minus": " and ".join(minus or []) or None}
        | {"seed": seed, "class": of},
        table=_table(result),
        images_seen=model.images_seen,
    )
    heading = f"{len(added) + len(subtracted)} groups and their sum in {path}"
    show_and_keep(context, run, values, _text(heading, result), json, shown)


def _as_json(result: "LatentSum", of: str | None) -> dict[str, Any]:
    """Return a sum and what it shows as plain data; without known attributes, these are None."""
    expectations = None
    if result.expectations is not None:
        expectations = [vars(entry) | {"right": entry.is_right} for entry in result.expectations]
    return {
        "latent": [round(value, 6) for value in result.latent.tolist()],
        "num_right": result.num_right,
        "num_expected": None if expectations is None else len(expectations),
        "chance": None if expectations is None else sum(entry["chance"] for entry in expectations),
        "attributes": expectations,
        "class": of,
        "sentence": result.sentence,
    }


def _table(result: "LatentSum") -> list[list[str]]:
    """Return a heading, and a row per attribute that the groups decide; nothing without one."""
    rows = [
        [entry.name, entry.expected, entry.read, f"{entry.chance:.2f}"] for entry in result.expectations or ()
    ]
    return [["attribute", "expected", "read", "chance"], *rows] if rows else []


def _text(heading: str, result: "LatentSum") -> str:
    """Return a line per attribute that the groups decide, and whether it worked."""
    lines = [heading]
    for entry in result.expectations or ():
        mark = "as expected" if entry.is_right else f"expected {entry.expected}"
        lines.append(f"  {entry.name}: {entry.read}, {mark} (chance {entry.chance:.2f})")
    return "\n".join([*lines, result.sentence])
