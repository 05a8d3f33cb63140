"""Draw groups of duplicates on one contact sheet, largest first, so that a person can check them."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganzfeld.data.check.duplicates import Group
from ganzfeld.data.images import ImageDataset
from ganzfeld.printable import counted, printable

MOST_GROUPS = 24
MOST_IN_A_GROUP = 12
_LEAST_TILE_PX, _MOST_TILE_PX = 64, 128
_GAP_PX, _MARGIN_PX, _CAPTION_PX, _TEXT_PX = 4, 10, 22, 13
_PANEL, _INK = "#e9e9ee", "#202028"


@dataclass(frozen=True)
class DuplicateSheet:
    """The contact sheet, the number of groups on it, and the number of groups left out."""

    image: Image.Image
    num_groups: int
    num_left_out: int


def duplicate_sheet(dataset: ImageDataset, groups: list[Group]) -> DuplicateSheet:
    """Draw up to 24 groups, each on its own panel with a caption; ``groups`` must not be empty.

    A panel shows up to 12 images at the training size: one of every different file first, then copies.
    """
    ranked = sorted(groups, key=lambda group: (-len(group.entries), group.entries[0]))[:MOST_GROUPS]
    panels = [_panel(dataset, group, number) for number, group in enumerate(ranked, 1)]
    left_out = len(groups) - len(ranked)
    more = f"{counted(left_out, 'smaller group')} left out" if left_out else ""
    width = max(panel.width for panel in panels) + 2 * _MARGIN_PX
    height = sum(panel.height + _MARGIN_PX for panel in panels) + _MARGIN_PX
    sheet = Image.new("RGB", (width, height + (_CAPTION_PX if more else 0)), "white")
    top = _MARGIN_PX
    for panel in panels:
        sheet.paste(panel, (_MARGIN_PX, top))
        top += panel.height + _MARGIN_PX
    _write(sheet, more, top - _MARGIN_PX // 2)
    return DuplicateSheet(sheet, len(ranked), left_out)


def _panel(dataset: ImageDataset, group: Group, number: int) -> Image.Image:
    """Draw one group: its caption above a row of its images."""
    chosen = _different_first(dataset, group)[:MOST_IN_A_GROUP]
    indices = np.cumsum(dataset.records["row"] >= 0)[chosen] - 1
    tiles = [_tile(image) for image in dataset.kind.view(dataset.batch(indices), dataset.scale)]
    width, height = tiles[0].size
    room = (MOST_IN_A_GROUP * (width + _GAP_PX) + _GAP_PX, _CAPTION_PX + height + _GAP_PX)
    panel = Image.new("RGB", room, _PANEL)
    for column, tile in enumerate(tiles):
        panel.paste(tile, (_GAP_PX + column * (width + _GAP_PX), _CAPTION_PX))
    _write(panel, _caption(dataset, group, number, len(chosen)), 0)
    return panel


def _different_first(dataset: ImageDataset, group: Group) -> np.ndarray:
    """Return the entries of a group: one of every different file first, then the copies."""
    entries = np.array(group.entries)
    _, firsts = np.unique(dataset.records["sha256"][entries], axis=0, return_index=True)
    is_copy = np.ones(len(entries), bool)
    is_copy[firsts] = False
    return entries[np.argsort(is_copy, kind="stable")]


def _caption(dataset: ImageDataset, group: Group, number: int, num_shown: int) -> str:
    size = len(group.entries)
    files = len(np.unique(dataset.records["sha256"][list(group.entries)], axis=0))
    kind = "copies of one file" if files == 1 else f"{files:,} different files"
    shown = f", {num_shown} shown" if num_shown < size else ""
    name = printable(dataset.listing.shown(int(group.entries[0])), 80)
    return f"{number}   {size:,} images, {kind}{shown}   {name}"


def _tile(image: np.ndarray) -> Image.Image:
    """Scale uint8 (height, width, channels) to a visible size; enlarge small images by whole factors."""
    tile = Image.fromarray(np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3))))
    longest = max(tile.size)
    if longest > _MOST_TILE_PX:
        sides = [max(1, side * _MOST_TILE_PX // longest) for side in tile.size]
        return tile.resize((sides[0], sides[1]), Image.Resampling.LANCZOS)
    factor = -(-_LEAST_TILE_PX // longest)
    return tile.resize((tile.width * factor, tile.height * factor), Image.Resampling.NEAREST)


def _write(image: Image.Image, text: str, top: int) -> None:
    """Write one line of text, clipped at the edge of the image."""
    font = ImageFont.load_default(_TEXT_PX)
    ImageDraw.Draw(image).text((_GAP_PX, top + 2), text, _INK, font)
