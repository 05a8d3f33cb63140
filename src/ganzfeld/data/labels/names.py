"""Match names in a table with images: by how much of the path, with or without extension and case.

The way in which most names of the table mean exactly one image wins; of equal ways, the strictest.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ganzfeld.data.decoding.extensions import EXTENSIONS, extension

AMBIGUOUS = -1
_MOST_PARTS = 8


class Naming(NamedTuple):
    """A way to compare names: by their last ``num_parts`` parts, ignoring extension or case if it says so.

    ``is_whole``: ``num_parts`` covers the whole path of every image.
    """

    any_case: bool
    any_ending: bool
    num_parts: int
    is_whole: bool

    def key(self, name: str) -> str:
        """Return the part of a name that is compared."""
        parts = name.replace("\\", "/").removeprefix("./").split("/")
        key = "/".join(parts[-self.num_parts :])
        if self.any_ending and extension(key) in EXTENSIONS:
            key = key[: -len(extension(key))]
        return key.casefold() if self.any_case else key

    @property
    def description(self) -> str:
        """How names are matched, in words; empty if the whole path must match."""
        ways = ["ignoring case"] * self.any_case + ["ignoring extensions"] * self.any_ending
        ways = ["by their last part alone"] * (self.num_parts == 1 and not self.is_whole) + ways
        return f" ({', '.join(ways)})" if ways else ""


def namings(images: Iterable[str]) -> list[Naming]:
    """Return all ways to compare names with these images, the strictest first."""
    deepest = max((name.count("/") for name in images), default=0) + 1
    return [
        Naming(any_case, any_ending, parts, parts >= deepest)
        for any_case in (False, True)
        for any_ending in (False, True)
        for parts in range(min(deepest, _MOST_PARTS), 0, -1)
    ]


def unique_keys(ways: list[Naming], images: Iterable[str], names: Iterable[str]) -> dict[Naming, set[str]]:
    """Return for each way the keys of ``names`` that mean exactly one image."""
    wanted = {way: {way.key(name) for name in names} for way in ways}
    counts: dict[Naming, Counter[str]] = {way: Counter() for way in ways}
    for image in images:
        for way in ways:
            key = way.key(image)
            if key in wanted[way]:
                counts[way][key] += 1
    return {way: {key for key, count in counts[way].items() if count == 1} for way in ways}


def index_by_key(way: Naming, images: Iterable[str]) -> dict[str, int]:
    """Map each key to the position of its image, or to ``AMBIGUOUS`` if several images have it."""
    index: dict[str, int] = {}
    for position, image in enumerate(images):
        key = way.key(image)
        index[key] = AMBIGUOUS if key in index else position
    return index


def looks_like_a_file(name: str) -> bool:
    """Return whether a name has the extension of an image file."""
    return extension(name) in EXTENSIONS


def columns(rows: list[list[str]]) -> Iterator[list[str]]:
    """Yield the cells of each column; missing cells of short rows are empty."""
    for column in range(max(map(len, rows), default=0)):
        yield [row[column] if column < len(row) else "" for row in rows]
