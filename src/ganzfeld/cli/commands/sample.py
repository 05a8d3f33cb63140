"""``ganzfeld sample``."""

import contextlib
import math
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganzfeld.cli.seeds import ranges_of
from ganzfeld.cli.speech import Json, show_result
from ganzfeld.errors import GanzfeldError, GanzfeldWarning, UsageError
from ganzfeld.output import Mark, require_outside_runs, require_replaceable, write_output
from ganzfeld.printable import counted
from ganzfeld.regular import read_regular
from ganzfeld.run_layout import LARGEST_METADATA, METADATA, is_among_images
from ganzfeld.strict_json import strict_json

if TYPE_CHECKING:
    import numpy as np

    from ganzfeld.model import Card, Model
    from ganzfeld.networks import Generator

MOST_IN_A_GRID = 10_000
GRID_MARKS = (Mark.SAMPLE_GRID, Mark.SAMPLE)
"""Marks of the files that ``--out FILE.png`` replaces."""
MOST_SIBLING_RUNS = 1_000
"""The number of runs in the same parent folder whose data is checked."""
MOST_IN_A_FOLDER = 10_000_000
MOST_COMPARED = 64
"""The number of images whose difference from float32 is measured."""

MakeImages = Callable[[Sequence[int]], "np.ndarray"]
"""From seeds to images."""


def command(
    run: Annotated[Path, typer.Argument(help="A run folder, or a model folder.")],
    num: Annotated[
        int | None, typer.Option("--n", help="Number of images, from the seeds 0, 1, ... Default: 64.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Seeds to use, such as 0-63 or 3,14,15 or 0-9,42.")
    ] = None,
    truncation: Annotated[
        float, typer.Option(help="Scale of the latents: below 1, images are more typical and less varied.")
    ] = 1.0,
    of: Annotated[
        str | None, typer.Option("--class", help="Class of all images. Default: all classes in turn.")
    ] = None,
    precision: Annotated[
        str,
        typer.Option(help="float32, or bfloat16: faster on chips that have it, and a few levels different."),
    ] = "float32",
    out: Annotated[
        Path | None,
        typer.Option(
            help="FILE.png for a grid, or a folder without other images for one file per seed; FILE.npy,"
            " FILE.tif or FILE.fa for all samples in the units of their data. Replaces only files that sample"
            " wrote. Default: RUN-sample.png."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Generate images with a trained generator.

    A seed always gives the same image. In bfloat16 it is slightly different, and may depend on the chip; how
    different is measured and printed.

    Example: ganzfeld sample runs/faces-001 --seeds 0-99 --out faces/
    """
    from ganzfeld.compute.engine import has_fast_bfloat16
    from ganzfeld.model import load_model
    from ganzfeld.model.sample_files import ENDINGS, require_ending
    from ganzfeld.model.sampling import require_sampling_precision

    ranges = _requested_seeds(num, seeds)
    require_sampling_precision(precision)
    model = load_model(run)
    if precision != "float32" and not has_fast_bfloat16(next(model.generator.parameters()).device):
        warnings.warn(
            f"this processor emulates {precision}: float32 is faster", GanzfeldWarning, stacklevel=2
        )
    out = out or Path(f"{run.resolve().name}-sample.png")
    ending = out.suffix.lower()
    holds_all = ending in ENDINGS and not out.is_dir()
    if out.suffix and ending != ".png" and not holds_all and not out.is_dir():
        raise UsageError(
            f"{out} is neither a PNG file nor a folder",
            f"Name a file that ends in .png or {', '.join(ENDINGS)}, or a folder.",
        )
    if holds_all or (ending != ".png" and model.card.kind != "image"):
        require_ending(ending, model.card)
    label = None if of is None else model.card.label_of(of)
    make = partial(_images, model=model, truncation=truncation, label=label, precision=precision)
    num_requested = num_images = _num_seeds(ranges)
    if holds_all:
        _write_values(out, ranges, make, model.card)
    elif ending == ".png":
        _write_grid(out, run, ranges, make, model.card, 0 if label is not None else len(model.card.classes))
    else:
        _require_outside_data(out / "0.png", run)
        ranges = distinct(ranges)
        num_images = _num_seeds(ranges)
        _write_folder(out, ranges, model.generator, make)
    num_repeated = num_requested - num_images
    text = f"{counted(num_images, model.card.kind)} in {out}"
    has_levels = precision != "float32" and model.card.dtype == "uint8"
    difference = _difference(make, ranges) if has_levels else None
    if difference:
        text += f"; {difference.text}"
    if num_repeated:
        text += f"; repeated seeds give the same file ({num_repeated:,} of {num_requested:,})"
    result = {
        "run": str(run.resolve()),
        "out": str(out.resolve()),
        "num_pictures": num_images,
        "class": of,
        "num_repeated": num_repeated,
        "precision": precision,
        "difference": difference and vars(difference),
    }
    show_result(result, text, json)


def _requested_seeds(num: int | None, seeds: str | None) -> list[range]:
    """Return the seeds that ``--n`` or ``--seeds`` asks for. Raises ``UsageError`` for none or too many."""
    if num is not None and seeds is not None:
        raise UsageError("--n and --seeds exclude each other", "--n 64 means --seeds 0-63.")
    ranges = ranges_of(seeds) if seeds is not None else [range(64 if num is None else num)]
    num_images = _num_seeds(ranges)
    if num_images < 1:
        raise UsageError(f"--n must be at least 1, not {num}", "Without --n there are 64 images.")
    if num_images > MOST_IN_A_FOLDER:
        raise UsageError(
            f"{num_images:,} images are too many: at most {MOST_IN_A_FOLDER:,} are made at once",
            "Use several calls with other --seeds.",
        )
    return ranges


def _num_seeds(ranges: list[range]) -> int:
    # len() fails for a range of more than 2**63 - 1 seeds.
    return sum(part.stop - part.start for part in ranges)


def _images(
    seeds: Sequence[int], model: "Model", truncation: float, label: int | None, precision: str
) -> "np.ndarray":
    from ganzfeld.model import images_of_seeds

    labels = None if label is None else [label] * len(seeds)
    prior = model.card.prior
    return images_of_seeds(
        model.generator,
        seeds,
        prior=prior,
        truncation=truncation,
        labels=labels,
        precision=precision,
        stored=model.card.stored,
    )


@dataclass(frozen=True)
class Difference:
    """How far values in levels of 0 to 255 are from those of float32, over the first images."""

    mean: float
    largest: int
    num_images: int

    @property
    def text(self) -> str:
        """The difference in words."""
        figures = f"{self.mean:.2f} of 255 levels from float32 on average, {self.largest} at most"
        return f"{figures} ({counted(self.num_images, 'image')} compared)"


def _difference(make: "partial[np.ndarray]", ranges: list[range]) -> Difference:
    import numpy as np

    seeds = [seed for part in ranges for seed in part[:MOST_COMPARED]][:MOST_COMPARED]
    exact = make(seeds, precision="float32").astype(np.int16)
    levels = np.abs(make(seeds).astype(np.int16) - exact)
    return Difference(round(float(levels.mean()), 4), int(levels.max()), len(seeds))


def _write_values(out: Path, ranges: list[range], make: MakeImages, card: "Card") -> None:
    """Write all samples into one file, in the type and the units of their data."""
    from ganzfeld.model.sample_files import content_of_samples

    require_replaceable(out, Mark.SAMPLES)
    seeds = [seed for part in ranges for seed in part]
    write_output(out, content_of_samples(out.suffix.lower(), make(seeds), seeds, card), Mark.SAMPLES)


def _write_grid(
    out: Path, run: Path, ranges: list[range], make: MakeImages, card: "Card", num_classes: int
) -> None:
    """Write all images into one PNG; ``num_classes`` is the number of classes that the seeds alternate."""
    from ganzfeld.data.kinds import kind_of_data
    from ganzfeld.model import write_png

    require_replaceable(out, *GRID_MARKS)
    num_images = _num_seeds(ranges)
    if num_images > MOST_IN_A_GRID:
        raise UsageError(
            f"{num_images:,} images do not fit in one grid (at most {MOST_IN_A_GRID:,})",
            "Name a folder with --out to get one file per seed.",
        )
    seeds = [seed for part in ranges for seed in part]
    are_consecutive = seeds == list(range(seeds[0], seeds[0] + num_images))
    mark = Mark.SAMPLE if num_images == 1 else Mark.SAMPLE_GRID
    if mark == Mark.SAMPLE:
        _require_outside_data(out, run)
    shown = kind_of_data(card.kind).view(make(seeds), card.stored.scale)
    write_png(out, _grid(shown, num_classes if are_consecutive else 0), mark, *GRID_MARKS)


def _grid(images: "np.ndarray", num_classes: int) -> "np.ndarray":
    """Arrange images about as wide as high; if classes alternate, with one column per class if possible."""
    from ganzfeld.model import columns_by_class, grid

    num, height, width, _ = images.shape
    columns = columns_by_class(max(1, math.ceil(math.sqrt(num * height / width))), num_classes)
    return grid(images, columns)


def _write_folder(out: Path, ranges: list[range], generator: "Generator", make: MakeImages) -> None:
    """Write one file per seed, with only a batch in memory at a time."""
    from ganzfeld.durable import make_folder
    from ganzfeld.model import write_png
    from ganzfeld.model.sampling import chunk_size

    _require_no_other_images(out, ranges)
    make_folder(out)
    size = chunk_size(generator)
    for part in ranges:
        for start in range(0, len(part), size):
            seeds = part[start : start + size]
            for seed, image in zip(seeds, make(seeds), strict=True):
                write_png(out / f"{seed:06d}.png", image, Mark.SAMPLE)


def _require_outside_data(path: Path, sampled: Path) -> None:
    """Raise ``UsageError`` if a sample would become one of the training images of the sampled run.

    The run could then not be resumed. Files in a run folder are not training images, nor are grids. For the
    training images of another run in the same parent folder there is a warning.
    """
    from ganzfeld.runs import open_run

    sampled = sampled.resolve()
    for run in [sampled, *sampled.parents][:3]:  # a model folder is inside a run folder
        with contextlib.suppress(GanzfeldError):  # without readable metadata it cannot be resumed anyway
            data = open_run(run).metadata.data
            break
    else:
        return
    if data is not None and is_among_images(path, Path(data)):
        raise UsageError(
            f"{path} is inside the data of the run {run}: samples there would become training images, and the"
            " run could not be resumed",
            f"Name a place outside {data}.",
        )
    for other in sorted(run.parent.iterdir())[:MOST_SIBLING_RUNS]:
        if other != run and (place := _data_of(other)) and is_among_images(path, place):
            warnings.warn(
                f"{path} is inside the data of the run {other}: samples there become training images, and"
                " that run can then be resumed only with --inexact",
                GanzfeldWarning,
                stacklevel=2,
            )
            return


def _data_of(run: Path) -> Path | None:
    """Return where the images of a run are; None if it is not a run or uses the built-in images."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        data = strict_json(read_regular(run / METADATA, LARGEST_METADATA), undecodable=True).get("data")
        return Path(data) if isinstance(data, str) and Path(data).is_absolute() else None
    return None


def _require_no_other_images(out: Path, ranges: list[range]) -> None:
    """Raise ``UsageError`` if a folder holds images of other seeds, or images that sample did not write.

    The folder must hold exactly one image per seed in the end, and a user's files are never deleted.
    """
    require_outside_runs(out / "0.png")
    if not out.is_dir():
        return
    for path in sorted(out.iterdir()):
        number = int(path.stem) if re.fullmatch(r"[0-9]{6,19}", path.stem, re.ASCII) else -1
        is_requested = path.name == f"{number:06d}.png" and any(number in part for part in ranges)
        if path.suffix.lower() == ".png" and not is_requested:
            raise UsageError(
                f"{out} holds other images, such as {path.name}, and must hold exactly one file per seed",
                "Name a new folder, or move those images away; nothing is deleted.",
            )
        if is_requested:
            require_replaceable(path, Mark.SAMPLE)


def distinct(ranges: list[range]) -> list[range]:
    """Return the same seeds in ascending order, each once.

    >>> distinct([range(5, 6), range(0, 3), range(2, 6), range(5, 6)])
    [range(0, 6)]
    """
    merged: list[range] = []
    for part in sorted(ranges, key=lambda part: part.start):
        if merged and part.start <= merged[-1].stop:
            merged[-1] = range(merged[-1].start, max(merged[-1].stop, part.stop))
        else:
            merged.append(part)
    return merged
