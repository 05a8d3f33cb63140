"""``ganzfeld latent invert``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganzfeld.cli.inside_page import Shown, show_and_keep
from ganzfeld.cli.speech import Json
from ganzfeld.progress import tell

if TYPE_CHECKING:
    from ganzfeld.inside.inverting import InvertedFiles


def command(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="A run folder, or a model folder.")],
    images: Annotated[
        list[Path], typer.Argument(help="Image files, or folders, archives or arrays of images.")
    ],
    method: Annotated[
        str,
        typer.Option(help="fast: an encoder, then Adam; best: also Levenberg-Marquardt, ten times as long."),
    ] = "fast",
    of: Annotated[
        str | None, typer.Option("--class", help="Class of all images. Default: the best class of each.")
    ] = None,
    fit: Annotated[
        bool, typer.Option("--fit", help="Crop, scale and convert images as training images are.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write to. Default: RUN-invert."),
    ] = None,
    json: Json = False,
) -> None:
    """Find latents whose images are near to given images.

    Writes NAME.npy for each image, and comparison.png: originals, reconstructions, and four times the
    difference. The latent that an image was made from is not recovered, since a generator ignores many
    directions: images are compared.

    Example: ganzfeld latent invert runs/faces-001 a.png b.png --method best
    """
    from ganzfeld.inside.inverting import invert_files

    out = out or Path(f"{run.resolve().name}-invert")
    files = invert_files(run, images, out, method=method, of=of, fit=fit)
    for note in files.notes:
        tell(note)
    show_and_keep(context, run, _result(run, files), _text(files), json, _shown(files, method, of))


def _result(run: Path, files: "InvertedFiles") -> dict:
    inversion = files.inversion
    rows = zip(files.places, inversion.psnr_db.tolist(), files.latent_files, files.class_names, strict=True)
    return {
        "run": str(run.resolve()),
        "method": inversion.method,
        "images": [
            {"path": place, "psnr_db": round(db, 3), "latent": str(path.resolve()), "class": name}
            for place, db, path, name in rows
        ],
        "mean_psnr_db": round(float(inversion.psnr_db.mean()), 3),
        "worst_psnr_db": round(float(inversion.psnr_db.min()), 3),
        "seconds": round(inversion.seconds, 3),
        "comparison": str(files.comparison.resolve()),
        "sentence": inversion.sentence,
        "notes": list(files.notes),
    }


def _shown(files: "InvertedFiles", method: str, of: str | None) -> Shown:
    from ganzfeld.inside.inverting import comparison_of
    from ganzfeld.model import png

    names = files.class_names
    rows = zip(files.places, files.inversion.psnr_db.tolist(), names, strict=True)
    heading = ["image", "PSNR", "class" if any(names) else ""]
    return Shown(
        images={"originals, reconstructions, four times the difference": png(comparison_of(files.inversion))},
        files=[*files.latent_files, files.comparison],
        settings={"method": method, "class": of},
        table=[heading, *([place, f"{db:.1f} dB", name or ""] for place, db, name in rows)],
        images_seen=files.images_seen,
    )


def _text(files: "InvertedFiles") -> str:
    inversion = files.inversion
    lines = []
    for place, db, name in zip(files.places, inversion.psnr_db.tolist(), files.class_names, strict=True):
        lines.append(f"{db:6.1f} dB  {place}" + (f"  as {name}" if name else ""))
    return "\n".join(
        [*lines, inversion.sentence, f"latents  {files.comparison.parent}", f"compared {files.comparison}"]
    )
