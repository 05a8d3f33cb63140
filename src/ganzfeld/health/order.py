"""The entries of a journal in the order of training, whatever order its lines have."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from ganzfeld.errors import DamagedError

Entry = Mapping[str, Any]


def in_order(entries: Sequence[Entry], journal: str = "the journal") -> list[Entry]:
    """Return the entries by the number of images seen, each once, however they are ordered.

    Copies of an entry are dropped, so that a journal that was concatenated with itself counts once. Raises
    ``DamagedError`` if entries go back and then differ from those that are there already, as when the
    journals of a run and of its fork were put together: they belong to two histories. ``journal`` names the
    journal in the message.
    """
    images = [entry["images_seen"] for entry in entries]
    if all(one < other for one, other in pairwise(images)):
        return list(entries)
    stretches = _ascending(_each_once(entries))
    stretches.sort(key=lambda stretch: stretch[0]["images_seen"])  # stable: equal ones stay in their order
    for one, other in pairwise(stretches):
        if other[0]["images_seen"] < one[-1]["images_seen"]:
            raise DamagedError(
                f"{journal} is damaged: it holds two histories, both of which have entries between"
                f" {other[0]['images_seen']:,} and {one[-1]['images_seen']:,} images",
                "Remove the lines of one of them, or restore the journal from a copy.",
            )
    return [entry for stretch in stretches for entry in stretch]


def _each_once(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries without exact copies of earlier ones."""
    same: dict[int, list[Entry]] = {}
    unique = []
    for entry in entries:
        others = same.setdefault(entry["images_seen"], [])
        if entry not in others:
            others.append(entry)
            unique.append(entry)
    return unique


def _ascending(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Cut entries where the number of images falls."""
    stretches: list[list[Entry]] = []
    for entry in entries:
        if stretches and stretches[-1][-1]["images_seen"] <= entry["images_seen"]:
            stretches[-1].append(entry)
        else:
            stretches.append([entry])
    return stretches
