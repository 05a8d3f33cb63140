"""JSON that somebody else may have written: one meaning or none; and JSON of ours, whatever names it holds.

What the standard reader lets pass is refused: a key that occurs twice, of which it keeps the last, numbers
that are not finite or have more than 64 bits, and nesting that a later writer could not follow.
"""

import json
import math
import re
from typing import Any

DEEPEST = 32
LARGEST = 2**63
_LONGEST_NUMBER = 400
"""Characters: a float of 64 bits that is written out has less than 330."""

_UNUSUAL = re.compile(r"\d{18}|[eE]\+?\d{3}")
"""What every number that is too large has in it, and few others."""

_HALVES = re.compile("[\ud800-\udfff]")
"""Halves of surrogate pairs: the bytes of a file name that are no text."""


def indented_json(value: Any) -> bytes:
    """A value as indented JSON in UTF-8. What is no text in names of files stands there as escapes.

    ``strict_json`` with ``undecodable`` gives the same names back.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return (_HALVES.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n").encode()


def strict_json(text: bytes | str, *, undecodable: bool = False) -> Any:
    """The value of a JSON text in UTF-8, with or without a byte order mark.

    ``undecodable``: strings may hold halves of surrogate pairs, as names of files do whose bytes are no text.
    Raises ``ValueError``, whose words say what is wrong, for everything else.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"it is not UTF-8 (byte {error.start})") from None
    # Looking at every number costs more than all else; where none can be wrong, it is left out.
    numbers = {"parse_int": _int, "parse_float": _float} if _UNUSUAL.search(text) else {}
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, **numbers)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _require_shallow(value)
    if "\\u" in text and not undecodable:
        _require_text(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:80]!r} occurs twice")
    return found


def _int(digits: str) -> int:
    # The length first: Python refuses numbers of thousands of digits with words about a limit of its own.
    if len(digits) > _LONGEST_NUMBER or not -LARGEST <= (number := int(digits)) < LARGEST:
        raise ValueError(f"the number {_shortened(digits)} has more than 64 bits")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {_shortened(digits)} is too large")
    return number


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")


def _shortened(digits: str) -> str:
    return digits if len(digits) <= 24 else f"{digits[:12]}... of {len(digits)} digits"


def _require_text(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half of a surrogate pair, which is no character") from None


def _require_shallow(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise ValueError(f"it is nested more than {DEEPEST} deep")
