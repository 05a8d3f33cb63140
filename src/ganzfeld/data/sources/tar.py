"""A tar of image files, plain or compressed.

Images have the order of the tar. Classes come from the ``.cls`` files beside the images, as in a WebDataset,
or from the sub-folders if there are no such files.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, final

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


def recognises(path: Path) -> int:
    """Recognise a file whose name is that of a tar."""
    return 2 if path.name.lower().endswith(ENDINGS) and path.is_file() else 0


@final
class TarSource(Source):
    """The image files in a tar."""

    @cached_property
    def _stream(self) -> BinaryIO:
        return self.files.enter_context(open_stream(self.path))

    def entries(self) -> Iterator[Entry]:
        """Yield one entry per image file; raise ``DataError`` if the tar is unreadable or a bomb."""
        self.ignored.clear()
        mtime_ns = self.path.stat().st_mtime_ns
        for member in tar_members(self.path, self.notes.append):
            if is_image(member.name):
                yield tar_entry(member, mtime_ns)
            elif member.isreg():
                self.ignored.add(member.name)

    def read(self, entry: Entry) -> bytes:
        """Return the content of a member."""
        return read_at(self._stream, entry.locator, entry.size)

    def classes(self, names: Iterable[str]) -> Iterable[str] | None:
        """Return the classes from the ``.cls`` files, or else the sub-folders."""
        return sample_classes([self.path]) if ".cls" in self.ignored else self.classes_by_folder(names)
