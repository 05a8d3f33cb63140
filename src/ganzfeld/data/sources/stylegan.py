"""A folder written by StyleGAN's ``dataset_tool``: image files, with their labels in ``dataset.json``."""

from collections.abc import Iterable
from pathlib import Path
from typing import final

from ganzfeld.data.sources._dataset_json import FILE_NAME, MOST_BYTES, class_by_name
from ganzfeld.data.sources.folder import FolderSource
from ganzfeld.regular import read_regular


def recognises(path: Path) -> int:
    """Recognise a folder with a ``dataset.json``."""
    return 2 if (path / FILE_NAME).is_file() else 0


@final
class StyleganSource(FolderSource):
    """The image files below a folder, labelled by ``dataset.json``."""

    @property
    def version(self) -> str:
        """The size and time of ``dataset.json``."""
        info = (self.path / FILE_NAME).stat()
        return f"{FILE_NAME} {info.st_size} {info.st_mtime_ns}"

    def classes(self, names: Iterable[str]) -> Iterable[str] | None:
        """Return the labels in ``dataset.json``; None if it has none, or, with a note, if it is invalid."""
        by_name, note = class_by_name(read_regular(self.path / FILE_NAME, MOST_BYTES))
        self.notes += [note] if note else []
        self.label_problems += [note] if note else []
        return (by_name.get(name, "") for name in names) if by_name else None
