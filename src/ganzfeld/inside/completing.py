"""Completion of an image that users name, with a mask or a rectangle, and the files that it writes."""

import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ganzfeld.data import ImageDataset, open_images
from ganzfeld.data.decoding.decode import MOST_BYTES
from ganzfeld.durable import make_folder
from ganzfeld.errors import DataError, GanzfeldError, UsageError
from ganzfeld.inside.completion import Completion, complete, require_hole, require_num
from ganzfeld.inside.inverting import discriminator_of, npy
from ganzfeld.inside.user_images import read_image
from ganzfeld.model import grid, load_model, png
from ganzfeld.output import Mark, require_replaceable, write_output
from ganzfeld.printable import printable
from ganzfeld.progress import CountCallback, counting
from ganzfeld.regular import read_regular
from ganzfeld.run_layout import RECIPE
from ganzfeld.runs import open_run

COMPARISON = "comparison.png"
LATENTS = "latents.npy"
HALF = 128
"""Values of a mask from here on are taken as white."""
MOST_PIXELS = 2**24
"""Masks of more pixels are refused."""
GREY = 127
"""What a comparison shows in place of the hole."""


@dataclass(frozen=True)
class CompletedFiles:
    """A completion, and the files written: one per completion, their latents, and a comparison."""

    completion: Completion
    files: tuple[Path, ...]
    notes: tuple[str, ...]
    images_seen: int
    """How many images the model had been trained on."""

    @property
    def comparison(self) -> Path:
        """The file that shows original, hole, completions and baseline side by side."""
        return self.files[-1]


def complete_files(
    run: Path,
    image: Path,
    hole: Path | str,
    out: Path,
    *,
    num: int = 4,
    blend: bool = True,
    fit: bool = False,
    progress: bool | CountCallback | None = True,
) -> CompletedFiles:
    """Fill the hole of an image in ``num`` ways, into a folder.

    ``hole`` is the path of a mask, or a rectangle x,y,width,height in pixels, both of the image as it is
    completed (``fit``: cropped, scaled and converted as for training). Writes
    completion-1.png and so on, latents.npy (float32 (num, n)), and comparison.png. Raises what ``complete``
    and ``read_image`` raise.
    """
    require_num(num)
    model = load_model(run)
    model.card.require_images()
    pixels = read_image(image, model.generator, fit=fit)
    where = read_mask(hole) if isinstance(hole, Path) else rectangle(hole, *pixels.shape[:2])
    require_hole(where, pixels.shape[:2])
    files = [out / f"completion-{number}.png" for number in range(1, num + 1)]
    for path in files:
        require_replaceable(path, Mark.COMPLETION)
    require_replaceable(out / LATENTS, Mark.LATENTS)
    require_replaceable(out / COMPARISON, Mark.COMPLETIONS)
    report = counting(progress)
    discriminator, notes = discriminator_of(run)
    training_set, more_notes = training_set_of(run, report)
    completion = complete(
        model,
        pixels,
        where,
        discriminator=discriminator,
        training_set=training_set,
        num=num,
        blend=blend,
        progress=report,
    )
    make_folder(out)
    for path, filled in zip(files, completion.images, strict=True):
        write_output(path, png(filled), Mark.COMPLETION)
    write_output(out / LATENTS, npy(completion.latents.numpy()), Mark.LATENTS)
    write_output(out / COMPARISON, png(comparison_of(completion)), Mark.COMPLETIONS)
    all_notes = (*notes, *more_notes, *completion.notes)
    written = (*files, out / LATENTS, out / COMPARISON)
    return CompletedFiles(completion, written, all_notes, model.card.images_seen)


def hole_of(mask: Path | None, rectangle: str | None) -> Path | str:
    """Return the one of the two that is given. Raises ``UsageError`` if it is both or neither."""
    if mask is not None and rectangle is None:
        return mask
    if rectangle is not None and mask is None:
        return rectangle
    raise UsageError(
        "the hole is given by a mask or by --hole, and by one of them",
        "Name a mask of the size of the image, white where pixels are missing, or give --hole x,y,w,h.",
    )


def rectangle(text: str, height: int, width: int) -> np.ndarray:
    """Return the hole (height, width), true inside the rectangle ``x,y,width,height`` in pixels.

    Raises ``UsageError`` unless these are four whole numbers and the rectangle is inside the image.
    """
    parts = text.split(",")
    numbers = [int(part) for part in parts if part.strip().isdecimal() and len(part) < 10]
    if len(numbers) != 4 or len(parts) != 4:
        raise UsageError(
            f"{text!r} is not a rectangle", "Write --hole x,y,w,h in pixels, such as --hole 20,20,24,24."
        )
    left, top, across, down = numbers
    if across < 1 or down < 1 or left + across > width or top + down > height:
        raise UsageError(
            f"the rectangle {text} is not inside the image of {width}x{height} px",
            "Write --hole x,y,w,h: the upper left corner, then width and height of at least 1.",
        )
    hole = np.zeros((height, width), bool)
    hole[top : top + down, left : left + across] = True
    return hole


def read_mask(path: Path) -> np.ndarray:
    """Return the hole (H, W), true where an image file is white. Raises ``DataError`` if it is unreadable."""
    shown = printable(str(path))
    too_large = DataError(
        f"the mask {shown} is far larger than any image that a model makes",
        "Give one of the size of the image, or --hole x,y,w,h.",
    )
    try:
        content = read_regular(path, MOST_BYTES)
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(content)) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise too_large
                return np.asarray(image.convert("L")) >= HALF
    except FileNotFoundError:
        raise DataError(f"there is no mask at {shown}") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise too_large from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        reason = "it is no image" if isinstance(error, UnidentifiedImageError) else printable(reason)
        raise DataError(
            f"the mask {shown} cannot be read: {reason}", "Give a PNG, or --hole x,y,w,h."
        ) from None


def training_set_of(run: Path, progress: CountCallback) -> tuple[ImageDataset | None, tuple[str, ...]]:
    """Return the training images of a run, or None and a note that says why they cannot be used."""
    if not (run / RECIPE).is_file():
        return None, ()
    try:
        opened = open_run(run)
        metadata = opened.metadata
        options = metadata.reading_options(by_class=False)
        return open_images(metadata.data, opened.recipe.size, **options, progress=progress), ()
    except GanzfeldError as error:
        return None, (error.message,)


def comparison_of(completion: Completion) -> np.ndarray:
    """Arrange the original, the image with its hole in grey, the completions, and the baseline in a row."""
    hidden = np.where(completion.hole[..., None], GREY, completion.original).astype(np.uint8)
    images = [completion.original, hidden, *completion.images]
    images += [] if completion.nearest is None else [completion.nearest]
    return grid(np.stack(images), len(images))
