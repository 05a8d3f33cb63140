"""A folder written by StyleGAN's ``dataset_tool``: image files, with their labels in ``dataset.json``."""

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
    """Recognise a folder with a ``dataset.json``."""
    return 2 if (path / FILE_NAME).is_file() else 0


@final
class StyleganSource(Source):
    """The image files below a folder, labelled by ``dataset.json``."""

    @property
    def version(self) -> str:
        """The size and time of ``dataset.json``."""
        info = (self.path / FILE_NAME).stat()
        return f"{FILE_NAME} {info.st_size} {info.st_mtime_ns}"

    def entries(self) -> Iterator[Entry]:
        """Return one entry per image file, in the order of their names."""
        return image_files(os.fspath(self.path), self.ignored, self.runs)

    def read(self, entry: Entry) -> bytes:
        """Return the content of a file; raise ``UnusableImage`` if it changed since it was listed."""
        return read_file(self.path / entry.name, entry)

    def decode(self, raw: bytes | np.ndarray, framing: Preprocessing, frame: int = 0) -> Decoded:
        """Decode the file; see ``decode_file``."""
        return decode_file(bytes(raw), framing, frame)

    def classes(self, names: Iterable[str]) -> Iterable[str] | None:
        """Return the labels in ``dataset.json``; None if it has none, or, with a note, if it is invalid."""
        by_name, note = class_by_name(read_regular(self.path / FILE_NAME, MOST_BYTES))
        self.notes += [note] if note else []
        self.label_problems += [note] if note else []
        return (by_name.get(name, "") for name in names) if by_name else None
