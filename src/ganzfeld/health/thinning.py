"""Select the journal entries that a verdict uses: all with readings, or an even selection of very many."""

from collections.abc import Iterable, Mapping
from typing import Any

from ganzfeld.health.evidence import OF_QUALITY, health_of

MOST_LOOKS = 1024
"""Largest number of entries of each kind, with quality measurements and without. A run reaches it after about
eleven days, since readings are at least a hundredth of its age apart."""

_GOLDEN = 0x9E3779B97F4A7C15
"""The golden ratio as a fraction of 2^64: its multiples are spread evenly over a circle."""


class EntrySelection:
    """Entries with readings, at most ``most`` of each kind.

    Whenever a kind exceeds its maximum, about half of its entries are dropped, evenly through the run. The
    number of images seen alone decides which: the selection is the same whether entries are added one by one
    or all at once, and a reading that is taken at every second or fourth entry is thinned like the others.
    Entries with quality measurements are rare, and are counted as a kind of their own.
    """

    def __init__(self, most: int = MOST_LOOKS) -> None:
        self._most = most
        self._entries: list[Mapping[str, Any]] = []
        self._num = {True: 0, False: 0}
        self._level = {True: 0, False: 0}

    @property
    def entries(self) -> list[Mapping[str, Any]]:
        """Selected entries, oldest first."""
        return list(self._entries)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add an entry that is newer than all others."""
        kind = _has_quality(entry)
        if _rank(entry["images_seen"]) < self._level[kind]:
            return
        self._entries.append(entry)
        self._num[kind] += 1
        while self._num[kind] > self._most:
            self._thin(kind)

    def _thin(self, kind: bool) -> None:
        level = self._level[kind] = self._level[kind] + 1
        self._entries = [
            entry
            for entry in self._entries
            if _has_quality(entry) != kind or _rank(entry["images_seen"]) >= level
        ]
        self._num[kind] = sum(_has_quality(entry) == kind for entry in self._entries)


def thinned(entries: Iterable[Mapping[str, Any]], most: int = MOST_LOOKS) -> list[Mapping[str, Any]]:
    """Keep at most ``most`` entries of each kind; see ``EntrySelection``."""
    selection = EntrySelection(most)
    for entry in entries:
        selection.add(entry)
    return selection.entries


def _has_quality(entry: Mapping[str, Any]) -> bool:
    return not OF_QUALITY.isdisjoint(health_of(entry))


def _rank(images_seen: int) -> int:
    """Return how often an entry survives: 0 times for half of all numbers, 1 for a quarter, ... (to 64)."""
    return 64 - (images_seen * _GOLDEN % 2**64).bit_length()
