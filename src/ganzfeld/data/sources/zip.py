"""A zip of image files, with folders as classes or, in the StyleGAN form, labels in ``dataset.json``.

Images have the order of the zip's directory.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, final

from ganzfeld.data.decoding.decode import UnusableImage
from ganzfeld.data.source import Entry, Source
from ganzfeld.data.sources._archive import check_expansion, flaw, is_image
from ganzfeld.data.sources._dataset_json import FILE_NAME, class_by_name
from ganzfeld.data.sources._zip_directory import Member, directory, member_at, members, read_member
from ganzfeld.errors import DataError
from ganzfeld.printable import printable


def recognises(path: Path) -> int:
    """Recognise a file that begins like a zip, or whose name is that of a zip."""
    if not path.is_file():
        return 0
    if path.suffix.lower() == ".zip":
        return 2
    try:
        with path.open("rb") as file:
            return 1 if file.read(4) == b"PK\x03\x04" else 0
    except OSError:
        return 0


@final
class ZipSource(Source):
    """The image files in a zip."""

    @cached_property
    def _file(self) -> BinaryIO:
        return self.files.enter_context(self.path.open("rb"))

    @cached_property
    def _shift(self) -> int:
        return directory(self._file)[2]

    def entries(self) -> Iterator[Entry]:
        """Yield one entry per image file; raise ``DataError`` if the zip is damaged or a bomb."""
        self.ignored.clear()
        mtime_ns, total = self.path.stat().st_mtime_ns, 0
        for member in self._members():
            total += member.size
            check_expansion(total, self.path)
            if is_image(member.name):
                reason = "a link" if member.link else flaw(member.name, member.size)
                yield Entry(member.name, member.size, mtime_ns, member.position, reason)
            else:
                self.ignored.add(member.name)

    def read(self, entry: Entry) -> bytes:
        """Return the content of a member."""
        try:
            member = member_at(self._file, entry.locator)
        except DataError:
            raise UnusableImage("the zip changed while it was being read") from None
        return self._content(member)

    def classes(self, names: Iterable[str]) -> Iterable[str] | None:
        """Return the classes from ``dataset.json`` if the zip has one, or else the sub-folders."""
        for member in self._members():
            if member.name.split("/")[-1] == FILE_NAME and member.name.count("/") <= 1:
                by_name, note = self._labels(member)
                self.notes += [note] if note else []
                self.label_problems += [note] if note else []
                return (by_name.get(name, "") for name in names) if by_name else None
        return self.classes_by_folder(names)

    def _labels(self, member: Member) -> tuple[dict[str, str], str]:
        try:
            return class_by_name(self._content(member), member.name.removesuffix(FILE_NAME))
        except UnusableImage as damage:
            return {}, f"{FILE_NAME} is ignored: {damage}"

    def _content(self, member: Member) -> bytes:
        return read_member(self._file, member._replace(header_offset=member.header_offset + self._shift))

    def _members(self) -> Iterator[Member]:
        try:
            yield from members(self._file)
        except DataError as problem:
            raise DataError(f"{printable(str(self.path))}: {problem.message}") from None
