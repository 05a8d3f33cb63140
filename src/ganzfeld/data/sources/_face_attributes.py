"""The attributes of the built-in faces, from the options that each one is drawn with."""

from collections.abc import Iterable
from typing import Any

ATTRIBUTES = {
    "skin": "skinColor",
    "hair-colour": "hairColor",
    "hair": "hairVariant",
    "rear-hair": "rearHairVariant",
    "beard": "beardVariant",
    "eyes": "eyesVariant",
    "eyebrows": "eyebrowsVariant",
    "mouth": "mouthVariant",
    "clothes": "clothesVariant",
    "clothes-colour": "clothesColor",
}
"""The attributes that differ between faces, each with the drawing option that decides it."""


def face_attributes(style: Any, seeds: Iterable[int]) -> list[dict[str, str]]:
    """Return the attributes of the faces with these seeds, drawn in a ``dicebear.Style``.

    A part that a face does not have has the value "none".
    """
    from dicebear import Avatar

    options = (Avatar(style, {"seed": str(seed), "size": 64}).to_json()["options"] for seed in seeds)
    return [{name: _as_word(drawn.get(option)) for name, option in ATTRIBUTES.items()} for drawn in options]


def _as_word(value: Any) -> str:
    """Return the value of an option as a word; a colour comes as a list of one."""
    if isinstance(value, list):
        value = value[0] if value else None
    return "none" if value is None else str(value)
