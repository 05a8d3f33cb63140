"""Grids of images with words beside them: what a person looks at to judge a figure."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from ganzfeld.inside.arithmetic import LatentSum
from ganzfeld.inside.directions import Direction, Directions
from ganzfeld.inside.latent_model import LatentModel
from ganzfeld.inside.walk import Walk
from ganzfeld.model import grid

STRIP = 10
"""Images in a row of a walk."""
STEPS = (-3, -2, -1, 0, 1, 2, 3)
"""The columns of a grid of directions, in thirds of the tested step."""
MOST_ROWS = 16
MOST_MEMBERS = 10
"""Images of a group that are shown above their mean."""
_LETTERS = 13
"""The height of letters in pixels."""
_MARGIN = 6
_WHITE = 255


def walk_sheet(walk: Walk) -> np.ndarray:
    """Return the images of a walk in rows, uint8 (height, width, C)."""
    return grid(walk.images, columns=min(STRIP, len(walk.images)))


def sum_sheet(result: LatentSum) -> np.ndarray:
    """Return the groups of a sum side by side, each above its mean, and the sum with images around it."""
    blocks: list[np.ndarray] = []
    for index, group in enumerate(result.groups):
        if index or group.sign < 0:
            blocks.append(_word("+" if group.sign > 0 else "-", group.mean_image.shape[-1]))
        members = grid(group.images[:MOST_MEMBERS], columns=1)
        blocks.append(_stacked([members, group.mean_image]))
    channels = result.image.shape[-1]
    return _beside([*blocks, _word("=", channels), grid(result.around, columns=3)])


def direction_sheet(
    model: LatentModel, directions: Directions, start: torch.Tensor
) -> tuple[np.ndarray, list[str]]:
    """Return edits of the image of a latent (latent_size,), a row per direction, and the names of the rows.

    The columns go from minus to plus the tested step. Of many directions, those that succeeded most often are
    shown, at first one of each attribute.
    """
    shown = rows_to_show(directions.directions)
    shares = torch.tensor(STEPS) / max(STEPS)
    edits = [shares[:, None] * directions.step * entry.vector for entry in shown]
    images = model.pixels(model.onto(start + torch.cat(edits)), directions.label)
    rows = images.reshape(len(shown), len(STEPS), *images.shape[1:])
    header = [f"{directions.step * float(share):+g}" if share else "0" for share in shares]
    names = [entry.name for entry in shown]
    return labelled_rows(names, rows, [text[:6] for text in header]), names


def rows_to_show(directions: Sequence[Direction], most: int = MOST_ROWS) -> list[Direction]:
    """Choose directions to show, in their order: the best of each attribute, then the best of the others."""

    def value(entry: Direction) -> float:
        return entry.success.value if entry.success else 0.0

    if len(directions) <= most:
        return list(directions)
    best: dict[str, Direction] = {}
    for entry in sorted(directions, key=value, reverse=True):
        best.setdefault(entry.name.partition("=")[0], entry)
    chosen = sorted(best.values(), key=value, reverse=True)
    chosen += sorted((entry for entry in directions if entry not in chosen), key=value, reverse=True)
    return [entry for entry in directions if any(entry is other for other in chosen[:most])]


def labelled_rows(names: Sequence[str], rows: np.ndarray, header: Sequence[str]) -> np.ndarray:
    """Return rows of images (rows, columns, H, W, C) with their names at the left and words above."""
    num_rows, num_columns, height, width, channels = rows.shape
    images = grid(rows.reshape(num_rows * num_columns, height, width, channels), num_columns)
    left = round(max(_text_width(name) for name in names)) + 2 * _MARGIN
    top = _LETTERS + 2 * _MARGIN
    canvas = Image.new("RGB", (left + images.shape[1], top + images.shape[0]), (_WHITE,) * 3)
    canvas.paste(Image.fromarray(np.broadcast_to(images, (*images.shape[:2], 3)).copy()), (left, top))
    draw, font = ImageDraw.Draw(canvas), _font()
    down, across = (images.shape[0] + 2) / num_rows, (images.shape[1] + 2) / num_columns
    for index, name in enumerate(names):
        draw.text((_MARGIN, top + down * index + (height - _LETTERS) / 2), name, fill=0, font=font)
    for index, text in enumerate(header):
        middle = left + across * index + (width - _text_width(text)) / 2
        draw.text((middle, _MARGIN), text, fill=0, font=font)
    return np.asarray(canvas)


def _font() -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(_LETTERS)


def _text_width(text: str) -> float:
    return _font().getlength(text)


def _word(text: str, channels: int) -> np.ndarray:
    """Return a word as an image (height, width, C)."""
    canvas = Image.new("L", (round(_text_width(text)) + 2 * _MARGIN, _LETTERS + _MARGIN), _WHITE)
    ImageDraw.Draw(canvas).text((_MARGIN, 0), text, fill=0, font=_font())
    return np.repeat(np.asarray(canvas)[..., None], channels, axis=2)


def _stacked(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return images (H, W, C) below each other, with a gap."""
    return _beside([part.swapaxes(0, 1) for part in parts], middle=False).swapaxes(0, 1)


def _beside(parts: Sequence[np.ndarray], *, middle: bool = True) -> np.ndarray:
    """Return images (H, W, C) side by side on white, with gaps, at the middle height or at the top."""
    height, channels = max(part.shape[0] for part in parts), parts[0].shape[-1]
    width = sum(part.shape[1] for part in parts) + _MARGIN * (len(parts) - 1)
    canvas, left = np.full((height, width, channels), _WHITE, np.uint8), 0
    for part in parts:
        top = (height - part.shape[0]) // 2 if middle else 0
        canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
        left += part.shape[1] + _MARGIN
    return canvas
