"""A folder of tars (WebDataset shards), read as one dataset in the order of their names."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, final

from ganzfeld.data.decoding.decode import UnusableImage
from ganzfeld.data.decoding.extensions import EXTENSIONS, extension
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
from ganzfeld.errors import DataError

_OFFSET_BITS = 48  # the low bits of a locator hold the offset, the bits above them the number of the tar


def recognises(path: Path) -> int:
    """Recognise a folder that directly holds tars and no images."""
    if not path.is_dir():
        return 0
    tars = 0
    try:
        for child in path.iterdir():
            if extension(child.name) in EXTENSIONS:
                return 0
            tars += child.name.lower().endswith(ENDINGS)
    except OSError:
        return 0
    return 2 if tars else 0


@final
class WebdatasetSource(Source):
    """The image files in the tars of a folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._open: tuple[int, BinaryIO] | None = None

    @cached_property
    def _tars(self) -> list[Path]:
        return sorted(child for child in self.path.iterdir() if child.name.lower().endswith(ENDINGS))

    def entries(self) -> Iterator[Entry]:
        """Yield one entry per image file, named ``tar/member``; an unreadable tar is an entry with a flaw."""
        self.ignored.clear()
        for number, tar in enumerate(self._tars):
            try:
                yield from self._entries_of(number, tar)
            except (DataError, OSError) as problem:
                yield Entry(tar.name, 0, 0, flaw=str(problem))

    def read(self, entry: Entry) -> bytes:
        """Return the content of a member."""
        number, offset = divmod(entry.locator, 1 << _OFFSET_BITS)
        if self._open is None or self._open[0] != number:
            if self._open:
                self._open[1].close()  # shards are read one after the other
            if number >= len(self._tars):
                raise UnusableImage("its tar is gone")
            self._open = number, self.files.enter_context(open_stream(self._tars[number]))
        return read_at(self._open[1], offset, entry.size)

    def classes(self, names: Iterable[str]) -> Iterable[str] | None:
        """Return the classes from the ``.cls`` files, or else the sub-folders within the tars."""
        if ".cls" in self.ignored:
            return sample_classes(self._tars)
        return self.classes_by_folder(_NamesInTar(names))

    def _entries_of(self, number: int, tar: Path) -> Iterator[Entry]:
        mtime_ns = tar.stat().st_mtime_ns
        for member in tar_members(tar, self.notes.append):
            if is_image(member.name):
                entry = tar_entry(member, mtime_ns)
                yield entry._replace(
                    name=f"{tar.name}/{entry.name}", locator=number << _OFFSET_BITS | entry.locator
                )
            elif member.isreg():
                self.ignored.add(member.name)


class _NamesInTar:
    """Names without the name of the tar at their start; can be iterated over many times."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = names

    def __iter__(self) -> Iterator[str]:
        return (name.partition("/")[2] for name in self._names)
