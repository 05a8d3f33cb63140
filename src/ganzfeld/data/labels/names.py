"""Match names in a table with images: by how much of the path, with or without extension and case.

The rule by which most names of the table mean exactly one image wins; of equal rules, the strictest.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ganzfeld.data.decoding.extensions import EXTENSIONS, extension

AMBIGUOUS = -1
_MOST_PARTS = 8


class MatchingRule(NamedTuple):
    """A rule to compare names: by their last ``num_parts`` parts, ignoring extension or case if it says so.

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


def matching_rules(images: Iterable[str]) -> list[MatchingRule]:
    """Return all rules to compare names with these images, the strictest first."""
    deepest = max((name.count("/") for name in images), default=0) + 1
    return [
        MatchingRule(any_case, any_ending, parts, parts >= deepest)
        for any_case in (False, True)
        for any_ending in (False, True)
        for parts in range(min(deepest, _MOST_PARTS), 0, -1)
    ]


def unique_keys(
    rules: list[MatchingRule], images: Iterable[str], names: Iterable[str]
) -> dict[MatchingRule, set[str]]:
    """Return for each rule the keys of ``names`` that mean exactly one image."""
    wanted = {rule: {rule.key(name) for name in names} for rule in rules}
    counts: dict[MatchingRule, Counter[str]] = {rule: Counter() for rule in rules}
    for image in images:
        for rule in rules:
            key = rule.key(image)
            if key in wanted[rule]:
                counts[rule][key] += 1
    return {rule: {key for key, count in counts[rule].items() if count == 1} for rule in rules}


def index_by_key(rule: MatchingRule, images: Iterable[str]) -> dict[str, int]:
    """Map each key to the position of its image, or to ``AMBIGUOUS`` if several images have it."""
    index: dict[str, int] = {}
    for position, image in enumerate(images):
        key = rule.key(image)
        index[key] = AMBIGUOUS if key in index else position
    return index


def looks_like_a_file(name: str) -> bool:
    """Return whether a name has the extension of an image file."""
    return extension(name) in EXTENSIONS


def columns(rows: list[list[str]]) -> Iterator[list[str]]:
    """Yield the cells of each column; missing cells of short rows are empty."""
    for column in range(max(map(len, rows), default=0)):
        yield [row[column] if column < len(row) else "" for row in rows]
