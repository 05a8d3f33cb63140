"""One file of several images: the pages of a TIFF or the frames of an animation; see ``decoding.frames``."""

from collections.abc import Iterator
from pathlib import Path
from typing import final

from ganzfeld.data.decoding.decode import FORMATS, MOST_BYTES
from ganzfeld.data.decoding.extensions import EXTENSIONS
from ganzfeld.data.decoding.frames import num_frames
from ganzfeld.data.source import Entry, Source
from ganzfeld.data.walk import read_file
from ganzfeld.regular import read_regular


def recognises(path: Path) -> int:
    """Recognise an image file with more than one frame."""
    return 1 if frames_in(path) > 1 else 0


def frames_in(path: Path) -> int:
    """Return how many frames a file holds; 0 if it is not an image file or cannot be read."""
    if path.suffix.lower() not in EXTENSIONS or not path.is_file():
        return 0
    try:
        return num_frames(read_regular(path, MOST_BYTES), FORMATS)
    except OSError:
        return 0


@final
class StackSource(Source):
    """The frames of a file, as one entry that ``frames_of`` expands to the frames to read."""

    HAS_FILES = False

    def entries(self) -> Iterator[Entry]:
        """Yield the file itself, with an empty name since the path already names it."""
        info = self.path.stat()
        yield Entry("", info.st_size, info.st_mtime_ns)

    def read(self, entry: Entry) -> bytes:
        """Return the content of the file; raise ``UnusableImage`` if it changed since it was listed."""
        return read_file(self.path, entry)
