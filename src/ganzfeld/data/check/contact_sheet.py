"""One image of many: how the set looks to the network, at a glance."""

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
    """Up to 64 images, evenly spread over the set, as they are trained on, in rows of equal length."""
    if not dataset.num_pictures:
        raise DataError("there is no image to show")
    chosen = dataset.batch(np.unique(np.linspace(0, dataset.num_pictures - 1, _MOST).astype(np.int64)))
    (width, height), columns = dataset.size, int(np.ceil(np.sqrt(len(chosen))))
    rows = -(-len(chosen) // columns)
    size = (columns * (width + _GAP_PX) + _GAP_PX, rows * (height + _GAP_PX) + _GAP_PX)
    sheet = Image.new("RGB", size, "white")
    for number, image in enumerate(np.broadcast_to(chosen, (*chosen.shape[:3], 3))):
        row, column = divmod(number, columns)
        place = (_GAP_PX + column * (width + _GAP_PX), _GAP_PX + row * (height + _GAP_PX))
        sheet.paste(Image.fromarray(np.ascontiguousarray(image)), place)
    return sheet


def write_contact_sheet(dataset: ImageDataset, path: Path) -> None:
    """Writes the sheet as PNG; raises ``ResourceError`` if that cannot be done."""
    write_sheet(contact_sheet(dataset), path)


def write_sheet(sheet: Image.Image, path: Path) -> None:
    """Write a sheet as PNG where the user says; see ``ganzfeld.output.write_output``."""
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    write_output(path, buffer.getvalue(), Mark.CONTACT_SHEET)
