"""Files that hold several images: how many frames there are, which of them are read, and reaching one.

Frames are the pages of a TIFF and the images of an animated GIF, PNG, WebP or AVIF. The second image that
telephones hide in a JPEG (a thumbnail, a map of brightness) is none: it is counted on its own.
"""

import io
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile

from ganzfeld.data.order import spread
from ganzfeld.option_values import ALL_FRAMES, FIRST_FRAME, MOST_FRAMES


def frames_wanted(number: int, frames: str) -> list[int]:
    """Which of so many frames are read: ``first``, ``all``, or a number of them, evenly spaced."""
    if frames == ALL_FRAMES:
        return list(range(number))
    return spread(number, 1 if frames == FIRST_FRAME else int(frames)).tolist()


def num_frames(content: bytes, formats: tuple[str, ...]) -> int:
    """How many frames a file holds; 1 for whatever is no image."""
    try:
        with Image.open(io.BytesIO(content), formats=formats) as image:
            return count_frames(image, content)
    except Exception:  # noqa: BLE001  hostile bytes make Pillow's readers raise anything
        return 1


def count_frames(image: Image.Image, content: bytes) -> int:
    """The same of an image that is open. Nothing is decoded, and the image stays where it is."""
    try:
        if image.format == "GIF":
            return max(1, _in_gif(content))
        if image.format == "TIFF":
            return max(1, _in_tiff(content))
        if image.format in ("PNG", "WEBP", "AVIF"):
            return int(getattr(image, "n_frames", 1))
    except (struct.error, IndexError):
        pass  # cut off in the middle of what is being counted
    return 1


def count_hidden(image: Image.Image) -> int:
    """Return how many images an open file holds beside the one that is read, and that are no frames: MPO."""
    number = int(getattr(image, "n_frames", 1)) if image.format == "MPO" else 1
    return min(max(number, 1), MOST_FRAMES) - 1


class _Kept(threading.local):
    content: bytes | None = None
    image: ImageFile.ImageFile | None = None

    def drop(self) -> None:
        if self.image:
            self.image.close()
        self.content = self.image = None


_kept = _Kept()
"""The last file of which a later frame was read: to reach a frame of a GIF, all before it are decoded."""


@contextmanager
def at_frame(content: bytes, formats: tuple[str, ...], frame: int) -> Iterator[ImageFile.ImageFile]:
    """An image, open and not loaded, at one of its frames; later ones are not to be changed in place."""
    if not frame:
        with Image.open(io.BytesIO(content), formats=formats) as image:
            yield image
        return
    try:
        if _kept.image is None or _kept.content is not content:
            _kept.drop()
            _kept.content, _kept.image = content, Image.open(io.BytesIO(content), formats=formats)
        _kept.image.seek(frame)
        yield _kept.image
    except BaseException:
        _kept.drop()
        raise


def _in_gif(content: bytes) -> int:
    """Image descriptors among the blocks of a GIF."""
    at, number = 13 + _table_bytes(content[10]), 0
    while number < MOST_FRAMES and content[at] in b"!,":
        if content[at] == ord(","):
            number += 1
            at += 10 + _table_bytes(content[at + 9]) + 1
        else:
            at += 2
        while content[at]:
            at += 1 + content[at]
        at += 1
        if at >= len(content):
            break
    return number


def _table_bytes(flags: int) -> int:
    """The length of a table of colours, if there is one."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _in_tiff(content: bytes) -> int:
    """Directories in the chain of a TIFF, each counted once."""
    order = "<" if content[:2] == b"II" else ">"
    is_big = content[2:4] in (b"+\0", b"\0+")
    pointer, count, entry = ("Q", "Q", 20) if is_big else ("I", "H", 12)
    (at,) = struct.unpack_from(order + pointer, content, 8 if is_big else 4)
    seen: set[int] = set()
    while at and at not in seen and len(seen) < MOST_FRAMES and at < len(content):
        seen.add(at)
        (number,) = struct.unpack_from(order + count, content, at)
        beyond = at + struct.calcsize(order + count) + entry * number
        if beyond + struct.calcsize(order + pointer) > len(content):
            break
        (at,) = struct.unpack_from(order + pointer, content, beyond)
    return len(seen)
