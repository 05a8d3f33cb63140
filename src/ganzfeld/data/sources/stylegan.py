"""A folder as StyleGAN's ``dataset_tool`` writes it: image files and their labels in ``dataset.json``."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import final

import numpy as np

from ganzfeld.data.decoding.decode import Decoded, decode_file
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.source import Entry, Source
from ganzfeld.data.sources._dataset_json import FILE_NAME, MOST_BYTES, class_by_name
from ganzfeld.data.walk import image_files, read_file
from ganzfeld.regular import read_regular


def recognises(path: Path) -> int:
    """A folder with a ``dataset.json``."""
    return 2 if (path / FILE_NAME).is_file() else 0


@final
class StyleganSource(Source):
    """The image files below a folder, labelled by ``dataset.json``."""

    @property
    def version(self) -> str:
        """The state of ``dataset.json``."""
        info = (self.path / FILE_NAME).stat()
        return f"{FILE_NAME} {info.st_size} {info.st_mtime_ns}"

    def entries(self) -> Iterator[Entry]:
        """One entry an image file, in the order of their names."""
        return image_files(os.fspath(self.path), self.ignored, self.runs)

    def read(self, entry: Entry) -> bytes:
        """The content of a file, as long as it is the one that was listed."""
        return read_file(self.path / entry.name, entry)

    def decode(self, raw: bytes | np.ndarray, framing: Preprocessing, frame: int = 0) -> Decoded:
        """See ``decode_file``."""
        return decode_file(bytes(raw), framing, frame)

    def classes(self, names: Iterable[str]) -> Iterable[str] | None:
        """The labels; none if ``dataset.json`` has none or is of another form, which is noted."""
        by_name, note = class_by_name(read_regular(self.path / FILE_NAME, MOST_BYTES))
        self.notes += [note] if note else []
        self.label_problems += [note] if note else []
        return (by_name.get(name, "") for name in names) if by_name else None
