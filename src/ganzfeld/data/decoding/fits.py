"""Read the first image of a FITS file (FITS standard 4.0, Pence et al. 2010); no other program is needed."""

import math
from typing import Any

import numpy as np

from ganzfeld.data.decoding.decode import UnusableImage
from ganzfeld.value_kinds import is_number

MAGIC = b"SIMPLE  ="
_BLOCK, _CARD = 2880, 80
_TYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_MOST_HEADERS = 100


def fits_values(content: bytes) -> np.ndarray:
    """Return the values of the first image of a FITS file, in its units; the last axis is NAXIS1.

    Scaled numbers become float64, unsigned 16-bit ones uint16, undefined ones NaN. Raises ``UnusableImage``.
    """
    at = 0
    for _ in range(_MOST_HEADERS):
        if at >= len(content):
            break
        header, at = _header(content, at)
        shape = tuple(_whole(header, f"NAXIS{axis}") for axis in range(_whole(header, "NAXIS"), 0, -1))
        num_bytes = abs(_whole(header, "BITPIX")) // 8 * math.prod(shape) if shape else 0
        if num_bytes and header.get("XTENSION", "IMAGE") == "IMAGE":
            if at + num_bytes > len(content):
                raise UnusableImage("the file ends before its values do")
            return _physical(content[at : at + num_bytes], shape, header)
        at += -(-(num_bytes + int(_number(header, "PCOUNT", 0))) // _BLOCK) * _BLOCK
    raise UnusableImage("it holds no image")


def _header(content: bytes, at: int) -> tuple[dict[str, Any], int]:
    """Return the values of the header that begins at a byte, and where its data begin."""
    cards: dict[str, Any] = {}
    for begin in range(at, len(content) - _CARD + 1, _CARD):
        card = content[begin : begin + _CARD].decode("ascii", "replace")
        name = card[:8].strip()
        if name == "END":
            return cards, at + -(-(begin + _CARD - at) // _BLOCK) * _BLOCK
        if card[8:10] == "= ":
            cards.setdefault(name, _value(card[10:]))
    raise UnusableImage("its header has no end")


def _value(text: str) -> Any:
    text = text.strip()
    if text.startswith("'"):
        return text[1:].partition("'")[0].strip()
    text = text.partition("/")[0].strip()
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text.replace("D", "E"))
    except ValueError:
        return text


def _whole(header: dict[str, Any], name: str) -> int:
    value = header.get(name)
    if type(value) is not int or (value < 0 and name != "BITPIX"):
        raise UnusableImage(f"its header has no {name}")
    return value


def _number(header: dict[str, Any], name: str, otherwise: float) -> float:
    """Return a number of a header, ``otherwise`` if it is not there; refuse text, NaN and infinity."""
    value = header.get(name, otherwise)
    if not is_number(value) or not math.isfinite(value):
        raise UnusableImage(f"its header has no number as {name}")
    return value


def _physical(content: bytes, shape: tuple[int, ...], header: dict[str, Any]) -> np.ndarray:
    bits = header["BITPIX"]
    if bits not in _TYPES:
        raise UnusableImage(f"its header has the BITPIX {bits}")
    stored = np.frombuffer(content, _TYPES[bits]).reshape(shape)
    scale, zero, blank = _number(header, "BSCALE", 1), _number(header, "BZERO", 0), header.get("BLANK")
    if (scale, zero, bits) == (1, 32768, 16) and blank is None:
        return (stored.astype(np.int32) + 32768).astype(np.uint16)
    if (scale, zero) == (1, 0) and (blank is None or bits < 0):
        return stored.astype(stored.dtype.newbyteorder("="))
    values = stored * float(scale) + float(zero)
    return values if blank is None or bits < 0 else np.where(stored == blank, np.nan, values)
