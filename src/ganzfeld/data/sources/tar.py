"""A tar of image files, plain or compressed.

Images come in the order of the tar. Classes are the ``.cls`` files beside the images, as in a WebDataset;
without any, the sub-folders.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, final

import numpy as np

from ganzfeld.data.decoding.decode import Decoded, decode_file
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.source import Entry, Source
from ganzfeld.data.sources._archive import is_image
from ganzfeld.data.sources._tar_members import (
    ENDINGS,
    open_stream,
    read_at,
    sample_classes,
    tar_entry,
    tar_members,
)
from ganzfeld.data.walk import count_ignored


def recognises(path: Path) -> int:
    """A file that is called a tar."""
    return 2 if path.name.lower().endswith(ENDINGS) and path.is_file() else 0


@final
class TarSource(Source):
    """The image files in a tar."""

    @cached_property
    def _stream(self) -> BinaryIO:
        return self.files.enter_context(open_stream(self.path))

    def entries(self) -> Iterator[Entry]:
        """One entry an image file; raises ``DataError`` if the tar is damaged or a bomb."""
        self.ignored.clear()
        mtime_ns = self.path.stat().st_mtime_ns
        for member in tar_members(self.path, self.notes):
            if is_image(member.name):
                yield tar_entry(member, mtime_ns)
            elif member.isreg():
                count_ignored(self.ignored, member.name)

    def read(self, entry: Entry) -> bytes:
        """The content of a member."""
        return read_at(self._stream, entry.locator, entry.size)

    def decode(self, raw: bytes | np.ndarray, framing: Preprocessing, frame: int = 0) -> Decoded:
        """See ``decode_file``."""
        return decode_file(bytes(raw), framing, frame)

    def classes(self, names: Iterable[str]) -> Iterable[str] | None:
        """The ``.cls`` files, or the sub-folders."""
        return sample_classes([self.path]) if ".cls" in self.ignored else self.classes_by_folder(names)
