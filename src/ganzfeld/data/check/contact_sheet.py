"""Draw a contact sheet: a grid of images as the network sees them."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from ganzfeld.data.images import ImageDataset
from ganzfeld.errors import DataError
from ganzfeld.output import Mark, write_output

_MOST = 64
_GAP_PX = 2


def contact_sheet(dataset: ImageDataset) -> Image.Image:
    """Draw up to 64 images, spread evenly over the dataset, at the training size, in equal rows."""
    if not dataset.num_pictures:
        raise DataError("there are no usable images to show")
    chosen = dataset.batch(np.unique(np.linspace(0, dataset.num_pictures - 1, _MOST).astype(np.int64)))
    shown = dataset.kind.view(chosen, dataset.scale)
    (height, width), columns = shown.shape[1:3], int(np.ceil(np.sqrt(len(chosen))))
    rows = -(-len(chosen) // columns)
    size = (columns * (width + _GAP_PX) + _GAP_PX, rows * (height + _GAP_PX) + _GAP_PX)
    sheet = Image.new("RGB", size, "white")
    for number, image in enumerate(np.broadcast_to(shown, (*shown.shape[:3], 3))):
        row, column = divmod(number, columns)
        place = (_GAP_PX + column * (width + _GAP_PX), _GAP_PX + row * (height + _GAP_PX))
        sheet.paste(Image.fromarray(np.ascontiguousarray(image)), place)
    return sheet


def write_contact_sheet(dataset: ImageDataset, path: Path) -> None:
    """Write the contact sheet as PNG; raise ``ResourceError`` if that fails."""
    write_sheet(contact_sheet(dataset), path)


def write_sheet(sheet: Image.Image, path: Path) -> None:
    """Write a contact sheet as PNG to the user's path; see ``ganzfeld.output.write_output``."""
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    write_output(path, buffer.getvalue(), Mark.CONTACT_SHEET)
