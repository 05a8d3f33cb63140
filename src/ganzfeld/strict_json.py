"""Strict reading of JSON that others may have written, and writing of JSON with any file names in it.

Some text that the standard reader accepts is refused: repeated keys (it keeps the last), numbers that are not
finite or need more than 64 bits, and nesting too deep to be written again.
"""

import json
import math
import re
from typing import Any

DEEPEST = 32
LARGEST = 2**63
_LONGEST_NUMBER = 400
"""Characters. A 64-bit float has fewer than 330 when written out."""

_UNUSUAL = re.compile(r"\d{18}|[eE]\+?\d{3}")
"""A pattern that matches in every number that is too large, and in few others."""

_HALVES = re.compile("[\ud800-\udfff]")
"""Lone surrogates: Python's form of the undecodable bytes of a file name."""


def indented_json(value: Any) -> bytes:
    """Return a value as indented JSON in UTF-8. Undecodable bytes of file names are written as escapes.

    ``strict_json`` with ``undecodable=True`` reads the same names again.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return (_HALVES.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n").encode()


def strict_json(text: bytes | str, *, undecodable: bool = False) -> Any:
    """Return the value of a JSON text in UTF-8, with or without a byte order mark.

    With ``undecodable``, strings may hold lone surrogates, as file names with undecodable bytes do.
    Raises ``ValueError``, with the reason as its message, for invalid text.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"it is not UTF-8 (byte {error.start})") from None
    # Checking every number takes most of the time, so it is left out where no number can be too large.
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
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {repeated[:80]!r} occurs twice")
    return fields


def _int(digits: str) -> int:
    # The length first: Python refuses numbers of thousands of digits with a message about its own limit.
    if len(digits) > _LONGEST_NUMBER or not -LARGEST <= (number := int(digits)) < LARGEST:
        raise ValueError(f"the number {_shortened(digits)} has more than 64 bits")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {_shortened(digits)} is too large")
    return number


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not a number that JSON allows")


def _shortened(digits: str) -> str:
    return digits if len(digits) <= 24 else f"{digits[:12]}... of {len(digits)} digits"


def _require_text(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half of a surrogate pair, which is not a character") from None


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
    raise ValueError(f"it is nested more than {DEEPEST} levels deep")
