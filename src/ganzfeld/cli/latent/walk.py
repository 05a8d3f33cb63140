"""``ganzfeld latent walk``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzfeld.cli.inside_page import Shown, show_and_keep
from ganzfeld.cli.latent.outputs import OfClass, RunFolder, absolute, out_paths, require_writable
from ganzfeld.cli.seeds import seeds_in
from ganzfeld.cli.speech import Json
from ganzfeld.output import Mark, write_output
from ganzfeld.printable import counted

if TYPE_CHECKING:
    from ganzfeld.inside.walk import Walk

FILMS = (".webp", ".gif")
"""Films that a page can show, the better one first."""


def command(
    context: typer.Context,
    run: RunFolder,
    seeds: Annotated[str | None, typer.Option(help="Seeds to visit, in this order, such as 3,17,42.")] = None,
    latents: Annotated[
        list[Path] | None,
        typer.Option(help="File of latents (.npy) to visit after the seeds; repeatable."),
    ] = None,
    frames: Annotated[int, typer.Option(help="Number of images.")] = 60,
    loop: Annotated[bool, typer.Option("--loop", help="Return to the first image at the end.")] = False,
    fps: Annotated[float, typer.Option(help="Images per second of a film.")] = 20.0,
    of: OfClass = None,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            help="File to write: .png (all images in rows), .gif, .webp, or .mp4 where ffmpeg is installed; "
            "repeatable. Default: RUN-walk.png and RUN-walk.gif."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Walk from image to image in steps that look even.

    Without --seeds and --latents, the walk visits the seeds 0 to 3.

    Example: ganzfeld latent walk runs/faces-001 --seeds 3,17,42 --loop
    """
    import torch

    from ganzfeld.inside import latent_model, latent_walk, read_latents
    from ganzfeld.inside.films import require_film

    paths = out_paths(out, run, "walk", (".png", ".gif"))
    for path in paths:
        if path.suffix.lower() != ".png":
            require_film(path, fps)
    require_writable(paths, Mark.LATENT_WALK)
    if seeds is None and not latents:
        seeds = "0-3"
    numbers = seeds_in(seeds) if seeds is not None else []
    model = latent_model(run)
    points = torch.cat([read_latents(path, model.latent_size) for path in latents]) if latents else None
    walk = latent_walk(
        model.run or run, numbers, latents=points, frames=frames, loop=loop, of=of, progress=True
    )
    sheet, film = _written(paths, walk, fps)
    result = {"run": str(run.resolve()), "files": absolute(paths)} | _as_json(walk, frames, of)
    shown = Shown(
        images={"all images in rows": sheet} | ({"film": film} if film else {}),
        files=paths,
        settings={
            "seeds": seeds,
            "latents": ", ".join(map(str, latents)) if latents else None,
            "frames": f"{frames}, the stops are {', '.join(map(str, walk.stops))}",
            "class": of,
        },
        images_seen=model.images_seen,
    )
    text = f"{counted(frames, 'image')} in {', '.join(map(str, paths))}\n{walk.sentence}"
    show_and_keep(context, run, result, text, json, shown)


def _written(paths: Sequence[Path], walk: "Walk", fps: float) -> tuple[bytes, bytes | None]:
    """Write a walk in the formats of paths; return its rows as PNG, and the best film for a page."""
    from ganzfeld.inside.films import film
    from ganzfeld.inside.sheets import walk_sheet
    from ganzfeld.model import png

    sheet, films = png(walk_sheet(walk)), {}
    for path in paths:
        ending = path.suffix.lower()
        content = sheet
        if ending != ".png":
            content = films[ending] = film(walk.images, path.suffix, fps)
        write_output(path, content, Mark.LATENT_WALK)
    return sheet, next((films[ending] for ending in FILMS if ending in films), None)


def _as_json(walk: "Walk", frames: int, of: str | None) -> dict[str, Any]:
    """Return what is known of a walk as plain data."""
    return {
        "frames": frames,
        "stops": list(walk.stops),
        "evenness": walk.evenness,
        "evenness_before": walk.evenness_before,
        "even": walk.is_even,
        "class": of,
        "sentence": walk.sentence,
    }
