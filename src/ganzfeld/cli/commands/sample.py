"""``ganzfeld sample``."""

import contextlib
import math
import re
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganzfeld.cli.speech import Json, show_result
from ganzfeld.errors import GanzfeldError, GanzfeldWarning, UsageError
from ganzfeld.output import Mark, require_outside_runs, require_replaceable
from ganzfeld.printable import counted
from ganzfeld.regular import read_regular
from ganzfeld.run_layout import METADATA, is_among_images
from ganzfeld.strict_json import strict_json

if TYPE_CHECKING:
    import numpy as np

    from ganzfeld.model import Model
    from ganzfeld.networks import Generator

MOST_ON_A_SHEET = 10_000
GRID_MARKS = (Mark.SAMPLE_GRID, Mark.SAMPLE)
"""Of what ``--out FILE.png`` replaces."""
MOST_BESIDE = 1_000
"""Runs beside the one that is sampled whose data is looked at."""
LARGEST_METADATA = 1_000_000
MOST_IN_A_FOLDER = 10_000_000

Make = Callable[[Sequence[int]], "np.ndarray"]
"""Seeds to images."""


def command(
    run: Annotated[Path, typer.Argument(help="A run folder, or a model folder.")],
    num: Annotated[
        int | None, typer.Option("--n", help="How many, of the seeds from 0 on. Default: 64.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Which: 0-63, or 3,14,15, or both kinds.")] = None,
    truncation: Annotated[
        float, typer.Option(help="Below 1: closer to the average image, less varied.")
    ] = 1.0,
    of: Annotated[
        str | None, typer.Option("--class", help="Which class all are to be of. Default: all in turn.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="FILE.png for one sheet, or a folder without other images for one file a seed. Replaces "
            "only what sample wrote. Default: RUN-sample.png."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Make images with a trained generator.

    A seed always gives the same image.

    Example: ganzfeld sample runs/faces-001 --seeds 0-99 --out faces/
    """
    from ganzfeld.model import load_model, write_png

    if num is not None and seeds is not None:
        raise UsageError("--n and --seeds exclude each other", "--n 64 means --seeds 0-63.")
    wanted = ranges_of(seeds) if seeds is not None else [range(64 if num is None else num)]
    count = sum(part.stop - part.start for part in wanted)
    if count < 1:
        raise UsageError(f"no images are asked for (--n {num})", "--n must be at least 1.")
    if count > MOST_IN_A_FOLDER:
        raise UsageError(f"{count:,} images are asked for; at most {MOST_IN_A_FOLDER:,} are made at once")
    model = load_model(run)
    out = out or Path(f"{run.resolve().name}-sample.png")
    if out.suffix and out.suffix.lower() != ".png" and not out.is_dir():
        raise UsageError(
            f"{out} is neither a PNG file nor a folder", "Name a file that ends in .png, or a folder."
        )
    label = None if of is None else model.card.label_of(of)
    asked, repeated = count, 0
    make = partial(_images, model=model, truncation=truncation, label=label)
    if out.suffix.lower() == ".png":
        require_replaceable(out, *GRID_MARKS)
        if count > MOST_ON_A_SHEET:
            raise UsageError(
                f"{count:,} images do not fit on one sheet (at most {MOST_ON_A_SHEET:,})",
                "Name a folder with --out to get one file a seed.",
            )
        listed = [seed for part in wanted for seed in part]
        in_turn = label is None and listed == list(range(listed[0], listed[0] + count))
        mark = Mark.SAMPLE if count == 1 else Mark.SAMPLE_GRID
        if mark == Mark.SAMPLE:
            _require_outside_data(out, run)
        sheet = _sheet(make(listed), len(model.card.classes) if in_turn else 0)
        write_png(out, sheet, mark, *GRID_MARKS)
    else:
        _require_outside_data(out / "0.png", run)
        wanted = distinct(wanted)
        count = sum(map(len, wanted))
        repeated = asked - count
        _write_folder(out, wanted, model.generator, make)
    result = {"run": str(run.resolve()), "out": str(out.resolve()), "num_pictures": count, "class": of}
    told = f"{counted(count, 'image')} in {out}"
    if repeated:
        told += f"; a seed that is asked for again gives the same file ({repeated:,} of {asked:,})"
    show_result(result | {"num_repeated": repeated}, told, json)


def _images(seeds: Sequence[int], model: "Model", truncation: float, label: int | None) -> "np.ndarray":
    from ganzfeld.model import images_of_seeds

    labels = None if label is None else [label] * len(seeds)
    prior = model.card.prior
    return images_of_seeds(model.generator, seeds, prior=prior, truncation=truncation, labels=labels)


def _sheet(images: "np.ndarray", num_classes: int) -> "np.ndarray":
    """About as wide as high; where classes come in turn, with a column for each if that fits."""
    from ganzfeld.model import columns_by_class, grid

    num, height, width, _ = images.shape
    columns = columns_by_class(max(1, math.ceil(math.sqrt(num * height / width))), num_classes)
    return grid(images, columns)


def _write_folder(out: Path, wanted: list[range], generator: "Generator", make: Make) -> None:
    """One file a seed, a handful in memory at a time."""
    from ganzfeld.durable import make_folder
    from ganzfeld.model import write_png
    from ganzfeld.model.sampling import chunk_size

    _refuse_others(out, wanted)
    make_folder(out)
    size = chunk_size(generator)
    for part in wanted:
        for start in range(0, len(part), size):
            seeds = part[start : start + size]
            for seed, image in zip(seeds, make(seeds), strict=True):
                write_png(out / f"{seed:06d}.png", image, Mark.SAMPLE)


def _require_outside_data(path: Path, sampled: Path) -> None:
    """Raise ``UsageError`` where a sample would become an image of the data of the run that is sampled.

    The run could not be resumed then. What lies in a run folder is no data, nor are sheets.
    """
    from ganzfeld.runs import open_run

    sampled = sampled.resolve()
    for run in [sampled, *sampled.parents][:3]:  # a model folder lies in one
        with contextlib.suppress(GanzfeldError):  # without readable facts it cannot be resumed anyway
            data = open_run(run).metadata.data
            break
    else:
        return
    if data is not None and is_among_images(path, Path(data)):
        raise UsageError(
            f"{path} lies inside the data of the run {run}: samples there would become images of it, and it"
            " could not be resumed",
            f"Name a place outside {data}.",
        )
    for other in sorted(run.parent.iterdir())[:MOST_BESIDE]:
        if other != run and (place := _data_of(other)) and is_among_images(path, place):
            warnings.warn(
                f"{path} lies inside the data of the run {other}: samples there become images of it, and it"
                " can then be resumed only with --inexact",
                GanzfeldWarning,
                stacklevel=2,
            )
            return


def _data_of(run: Path) -> Path | None:
    """Where the images of a run are, read quickly; None for what is no run, or has none of its own."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        data = strict_json(read_regular(run / METADATA, LARGEST_METADATA), undecodable=True).get("data")
        return Path(data) if isinstance(data, str) and Path(data).is_absolute() else None
    return None


def _refuse_others(out: Path, wanted: list[range]) -> None:
    """Raises ``UsageError`` where a folder holds images that are none of the wanted ones, or not ours.

    The folder is to hold exactly one image a seed, and what a user has is never deleted.
    """
    require_outside_runs(out / "0.png")
    if not out.is_dir():
        return
    for path in sorted(out.iterdir()):
        number = int(path.stem) if re.fullmatch(r"[0-9]{6,19}", path.stem, re.ASCII) else -1
        ours = path.name == f"{number:06d}.png" and any(number in part for part in wanted)
        if path.suffix.lower() == ".png" and not ours:
            raise UsageError(
                f"{out} holds other images, such as {path.name}: it would not be one file a seed",
                "Name a new folder, or move those images away; nothing is deleted.",
            )
        if ours:
            require_replaceable(path, Mark.SAMPLE)


def distinct(ranges: list[range]) -> list[range]:
    """The same seeds in ascending order, each once.

    >>> distinct([range(5, 6), range(0, 3), range(2, 6), range(5, 6)])
    [range(0, 6)]
    """
    found: list[range] = []
    for part in sorted(ranges, key=lambda part: part.start):
        if found and part.start <= found[-1].stop:
            found[-1] = range(found[-1].start, max(found[-1].stop, part.stop))
        else:
            found.append(part)
    return found


def ranges_of(text: str) -> list[range]:
    """Seeds written as ``0-63``, ``3,14,15`` or ``0-9,42``. Raises ``UsageError`` for anything else."""
    ranges = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or len(part) > 40:
            raise UsageError(f"{text!r} is not a list of seeds", "Write 0-63, or 3,14,15, or 0-9,42.")
        low, high = int(first), int(last) if dash else int(first)
        if high >= 2**63:
            raise UsageError(f"seed {high} is out of range: from 0 to {2**63 - 1}")
        if high < low:
            raise UsageError(f"the seeds {part.strip()} run backwards", f"Write {high}-{low}.")
        ranges.append(range(low, high + 1))
    return ranges
