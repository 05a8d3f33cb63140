"""How names in a table stand for images: by how much of the path, with the ending or without, in which case.

Nothing is taken for granted: the way by which most names of the table mean exactly one image is taken, of
equal ones the strictest.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ganzfeld.data.decoding.extensions import EXTENSIONS, extension

AMBIGUOUS = -1
_MOST_PARTS = 8


class Naming(NamedTuple):
    """Names are equal if their last ``num_parts`` are; with any ending and in any case, if it says so.

    ``is_whole``: no image lies in so many folders that a part of its path is left out.
    """

    any_case: bool
    any_ending: bool
    num_parts: int
    is_whole: bool

    def key(self, name: str) -> str:
        """Return what of a name is compared."""
        parts = name.replace("\\", "/").removeprefix("./").split("/")
        key = "/".join(parts[-self.num_parts :])
        if self.any_ending and extension(key) in EXTENSIONS:
            key = key[: -len(extension(key))]
        return key.casefold() if self.any_case else key

    @property
    def told(self) -> str:
        """How names are matched, in words; nothing if by the path as it is."""
        ways = ["whatever their case"] * self.any_case + ["whatever their ending"] * self.any_ending
        ways = ["by their last part alone"] * (self.num_parts == 1 and not self.is_whole) + ways
        return f" ({', '.join(ways)})" if ways else ""


def namings(images: Iterable[str]) -> list[Naming]:
    """Return all ways to compare with these images, the strictest first."""
    deepest = max((name.count("/") for name in images), default=0) + 1
    return [
        Naming(any_case, any_ending, parts, parts >= deepest)
        for any_case in (False, True)
        for any_ending in (False, True)
        for parts in range(min(deepest, _MOST_PARTS), 0, -1)
    ]


def found_once(ways: list[Naming], images: Iterable[str], names: Iterable[str]) -> dict[Naming, set[str]]:
    """Return for each way which keys of these names mean exactly one image."""
    wanted = {way: {way.key(name) for name in names} for way in ways}
    counts: dict[Naming, Counter[str]] = {way: Counter() for way in ways}
    for image in images:
        for way in ways:
            key = way.key(image)
            if key in wanted[way]:
                counts[way][key] += 1
    return {way: {key for key, count in counts[way].items() if count == 1} for way in ways}


def index_by_key(way: Naming, images: Iterable[str]) -> dict[str, int]:
    """Map keys to the positions of images, those of several to ``AMBIGUOUS``."""
    index: dict[str, int] = {}
    for position, image in enumerate(images):
        key = way.key(image)
        index[key] = AMBIGUOUS if key in index else position
    return index


def looks_like_a_file(name: str) -> bool:
    """Whether a name has the ending of an image file."""
    return extension(name) in EXTENSIONS


def columns(rows: list[list[str]]) -> Iterator[list[str]]:
    """Yield the cells of each column; rows that are too short leave a cell empty."""
    for column in range(max(map(len, rows), default=0)):
        yield [row[column] if column < len(row) else "" for row in rows]
