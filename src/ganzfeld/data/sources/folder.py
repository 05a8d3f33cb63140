"""A folder of image files, however deeply nested and mixed, in the order of their names.

An image is a file with one of the known extensions; files and folders whose name begins with a dot are left
alone. If every image lies in a sub-folder, the sub-folders are the classes.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import final

import numpy as np

from ganzfeld.data.decoding.decode import Decoded, decode_file
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.source import Entry, Source
from ganzfeld.data.walk import image_files, read_file


def recognises(path: Path) -> int:
    """Any folder could be one."""
    return 1 if path.is_dir() else 0


@final
class FolderSource(Source):
    """The image files below a folder."""

    def entries(self) -> Iterator[Entry]:
        """One entry an image file; what only looks like one comes with its flaw."""
        return image_files(os.fspath(self.path), self.ignored, self.runs)

    def read(self, entry: Entry) -> bytes:
        """The content of a file, as long as it is the one that was listed."""
        return read_file(self.path / entry.name, entry)

    def classes(self, names: Iterable[str]) -> Iterable[str] | None:
        """The sub-folders."""
        return self.classes_by_folder(names)

    def decode(self, raw: bytes | np.ndarray, framing: Preprocessing, frame: int = 0) -> Decoded:
        """See ``decode_file``."""
        return decode_file(bytes(raw), framing, frame)
