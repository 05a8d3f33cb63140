"""Count, choose and open the frames of files that hold several images.

Frames are the pages of a TIFF and the images of an animated GIF, PNG, WebP or AVIF. The second image that
phones hide in a JPEG (a thumbnail, a gain map) is not a frame and is counted separately.
"""

import io
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile

from ganzfeld.data.order import evenly_spaced
from ganzfeld.option_values import ALL_FRAMES, FIRST_FRAME, MOST_FRAMES


def frames_wanted(number: int, frames: str) -> list[int]:
    """Return which of ``number`` frames to read: ``first``, ``all``, or that many, evenly spaced."""
    if frames == ALL_FRAMES:
        return list(range(number))
    return evenly_spaced(number, 1 if frames == FIRST_FRAME else int(frames)).tolist()


def num_frames(content: bytes, formats: tuple[str, ...]) -> int:
    """Return how many frames a file holds; 1 if it is not an image."""
    try:
        with Image.open(io.BytesIO(content), formats=formats) as image:
            return count_frames(image, content)
    except Exception:  # noqa: BLE001  hostile bytes make Pillow's readers raise anything
        return 1


def count_frames(image: Image.Image, content: bytes) -> int:
    """Return how many frames an open image has, without decoding it or changing its current frame."""
    try:
        if image.format == "GIF":
            return max(1, _count_in_gif(content))
        if image.format == "TIFF":
            return max(1, _count_in_tiff(content))
        if image.format in ("PNG", "WEBP", "AVIF"):
            return int(getattr(image, "n_frames", 1))
    except (struct.error, IndexError):
        pass  # the file is truncated in the middle of a frame header
    return 1


def count_hidden(image: Image.Image) -> int:
    """Return how many images besides the first an open MPO file holds; these are not frames."""
    number = int(getattr(image, "n_frames", 1)) if image.format == "MPO" else 1
    return min(max(number, 1), MOST_FRAMES) - 1


class _OpenFile(threading.local):
    content: bytes | None = None
    image: ImageFile.ImageFile | None = None

    def close(self) -> None:
        if self.image:
            self.image.close()
        self.content = self.image = None


_last_file = _OpenFile()
"""The last file of which a later frame was read. Reaching a frame of a GIF decodes all frames before it."""


@contextmanager
def at_frame(content: bytes, formats: tuple[str, ...], frame: int) -> Iterator[ImageFile.ImageFile]:
    """Open an image at one of its frames, not loaded; frames after the first must not be changed in place."""
    if not frame:
        with Image.open(io.BytesIO(content), formats=formats) as image:
            yield image
        return
    try:
        if _last_file.image is None or _last_file.content is not content:
            _last_file.close()
            _last_file.content, _last_file.image = content, Image.open(io.BytesIO(content), formats=formats)
        _last_file.image.seek(frame)
        yield _last_file.image
    except BaseException:
        _last_file.close()
        raise


def _count_in_gif(content: bytes) -> int:
    """Count the image descriptors among the blocks of a GIF."""
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
    """Return the length in bytes of a colour table; 0 if there is none."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _count_in_tiff(content: bytes) -> int:
    """Count the directories in the chain of a TIFF, each once."""
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
