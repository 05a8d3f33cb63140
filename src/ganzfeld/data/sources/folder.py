"""A folder of image files at any depth, in the order of their names.

Files with a known extension are images; files and folders whose names begin with a dot are ignored. If every
image is in a sub-folder, the sub-folders are the classes.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ganzfeld.data.source import Entry, Source
from ganzfeld.data.walk import image_files, read_file


def recognises(path: Path) -> int:
    """Recognise any folder as a possible one."""
    return 1 if path.is_dir() else 0


class FolderSource(Source):
    """The image files below a folder."""

    KINDS = ("image", "map")
    FORMAT = "file"

    def entries(self) -> Iterator[Entry]:
        """Yield one entry per image file; a path that cannot be read has a flaw."""
        for file in image_files(os.fspath(self.path)):
            if isinstance(file, Entry):
                yield file
            elif file.is_run:
                self.runs.append(file.name)
            else:
                self.ignored.add(file.name)

    def read(self, entry: Entry) -> bytes:
        """Return the content of a file; raise ``UnusableImage`` if it changed since it was listed."""
        return read_file(self.path / entry.name, entry)

    def classes(self, names: Iterable[str]) -> Iterable[str] | None:
        """Return the sub-folders as classes."""
        return self.classes_by_folder(names)
