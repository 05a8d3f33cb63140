"""``ganzfeld complete``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganzfeld.cli.inside_page import Shown, show_and_keep
from ganzfeld.cli.speech import Json
from ganzfeld.progress import tell

if TYPE_CHECKING:
    from ganzfeld.inside.completing import CompletedFiles


def command(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="A run folder, or a model folder.")],
    image: Annotated[Path, typer.Argument(help="The image, of the size that the model makes.")],
    mask: Annotated[
        Path | None, typer.Argument(help="An image of the same size, white where pixels are missing.")
    ] = None,
    hole: Annotated[
        str | None, typer.Option(help="The hole as a rectangle x,y,w,h in pixels, in place of a mask.")
    ] = None,
    num: Annotated[int, typer.Option("--n", help="Number of completions, from 1 to 16.")] = 4,
    blend: Annotated[
        bool,
        typer.Option("--blend/--no-blend", help="Blend at the edge of the hole, or copy pixels as they are."),
    ] = True,
    fit: Annotated[
        bool, typer.Option("--fit", help="Crop, scale and convert the image as training images are.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the completions. Default: RUN-complete.")
    ] = None,
    json: Json = False,
) -> None:
    """Fill a hole of an image with what the generator makes there.

    The generator is fitted outside the hole, from several starts, and the hole is blended in. If the pixels
    inside the hole are not all alike, they are taken as the truth, and the error over the hole is compared
    with that of the training image that is nearest outside of it.

    Example: ganzfeld complete runs/faces-001 face.png --hole 20,20,24,24
    """
    from ganzfeld.inside.completing import complete_files, hole_of

    out = out or Path(f"{run.resolve().name}-complete")
    files = complete_files(run, image, hole_of(mask, hole), out, num=num, blend=blend, fit=fit)
    for note in files.notes:
        tell(note)
    settings = {"image": image, "hole": hole or mask, "blended": "yes" if blend else "no"}
    show_and_keep(context, run, _result(run, files), _text(files), json, _shown(files, settings))


def _result(run: Path, files: "CompletedFiles") -> dict:
    done = files.completion
    over_hole = done.hole_db
    return {
        "run": str(run.resolve()),
        "files": [str(path.resolve()) for path in files.files],
        "psnr_db": None if over_hole is None else round(float(over_hole[0]), 3),
        "nearest_psnr_db": None if done.nearest_db is None else round(done.nearest_db, 3),
        "completions": [
            {
                "file": str(files.files[number].resolve()),
                "psnr_db": None if over_hole is None else round(float(over_hole[number]), 3),
                "outside_psnr_db": round(float(outside), 3),
            }
            for number, outside in enumerate(done.outside_db)
        ],
        "beats_nearest": done.beats_nearest,
        "seconds": round(done.seconds, 3),
        "sentence": done.sentence,
        "notes": list(files.notes),
    }


def _shown(files: "CompletedFiles", settings: dict[str, object]) -> Shown:
    from ganzfeld.inside.completing import comparison_of
    from ganzfeld.model import png

    done = files.completion
    caption = "original, hole, completions"
    caption += "" if done.nearest is None else ", the nearest training image"
    inside = (
        ["unknown"] * len(done.outside_db)
        if done.hole_db is None
        else [f"{db:.1f} dB" for db in done.hole_db]
    )
    rows = [
        [path.name, in_hole, f"{outside:.1f} dB"]
        for path, in_hole, outside in zip(files.files, inside, done.outside_db, strict=False)
    ]
    rows += [] if done.nearest_db is None else [["nearest training image", f"{done.nearest_db:.1f} dB", ""]]
    return Shown(
        images={caption: png(comparison_of(done))},
        files=files.files,
        settings=settings,
        table=[["completion", "over the hole", "outside"], *rows],
        images_seen=files.images_seen,
    )


def _text(files: "CompletedFiles") -> str:
    done = files.completion
    lines = [f"{'':24} {'hole':>8} {'outside':>8}"]
    for number, outside in enumerate(done.outside_db):
        inside = "unknown" if done.hole_db is None else f"{done.hole_db[number]:.1f} dB"
        lines.append(f"{files.files[number].name:24} {inside:>8} {outside:5.1f} dB")
    if done.nearest_db is not None:
        lines.append(f"{'nearest training image':24} {done.nearest_db:5.1f} dB")
    return "\n".join([*lines, done.sentence, f"files    {files.comparison.parent}"])
