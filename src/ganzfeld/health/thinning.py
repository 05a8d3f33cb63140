"""Which looks at a run a verdict goes by: all of them, or an even selection where there are very many."""

from collections.abc import Iterable, Mapping
from typing import Any

from ganzfeld.health.evidence import OF_QUALITY, health_of

MOST_LOOKS = 1024
"""Of each kind, with judgements of quality and without. A run has as many after about eleven days, since
looks are at least a hundredth of its age apart."""

_GOLDEN = 0x9E3779B97F4A7C15
"""The golden ratio as a share of 2^64: its multiples cover a circle evenly, however many there are."""


class KeptLooks:
    """Entries with readings, at most ``most`` of each kind.

    Where there are more, every second one goes, evenly through the run, whenever the number is reached again.
    Which ones go is decided by the images seen alone: what is kept is the same whether entries are added one
    by one or all at once, and readings that come at every second or fourth look are thinned like the others.
    Judgements of quality are rare, and a kind of their own.
    """

    def __init__(self, most: int = MOST_LOOKS) -> None:
        self._most = most
        self._entries: list[Mapping[str, Any]] = []
        self._num = {True: 0, False: 0}
        self._level = {True: 0, False: 0}

    @property
    def entries(self) -> list[Mapping[str, Any]]:
        """Those that are kept, oldest first."""
        return list(self._entries)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add one that is newer than all before."""
        kind = _is_judged(entry)
        if _rank(entry["images_seen"]) < self._level[kind]:
            return
        self._entries.append(entry)
        self._num[kind] += 1
        while self._num[kind] > self._most:
            self._thin(kind)

    def _thin(self, kind: bool) -> None:
        level = self._level[kind] = self._level[kind] + 1
        self._entries = [
            e for e in self._entries if _is_judged(e) != kind or _rank(e["images_seen"]) >= level
        ]
        self._num[kind] = sum(_is_judged(entry) == kind for entry in self._entries)


def thinned(looks: Iterable[Mapping[str, Any]], most: int = MOST_LOOKS) -> list[Mapping[str, Any]]:
    """Keep at most ``most`` looks of each kind; see ``KeptLooks``."""
    kept = KeptLooks(most)
    for entry in looks:
        kept.add(entry)
    return kept.entries


def _is_judged(entry: Mapping[str, Any]) -> bool:
    return not OF_QUALITY.isdisjoint(health_of(entry))


def _rank(images_seen: int) -> int:
    """Return how long an entry stays: 0 for half of all numbers, 1 for a quarter, and so on, up to 64."""
    return 64 - (images_seen * _GOLDEN % 2**64).bit_length()
