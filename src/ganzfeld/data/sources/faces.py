"""The built-in images: 5,000 drawn faces, made here, the same on every machine with the same versions.

The drawings are *ToonHead* by Johan Melin, as carried by DiceBear; ``CREDIT`` is the attribution that its
licence asks for, and belongs wherever these faces or what was trained on them are shown.
"""

import io
import json
from collections.abc import Iterator
from importlib import metadata, resources
from pathlib import Path
from typing import Any, final

import numpy as np
from PIL import Image

from ganzfeld.data.decoding.decode import Decoded, UnusableImage, decode_raster
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.source import Entry, Source
from ganzfeld.errors import ResourceError

BUILT_IN = True
NUM_FACES = 5_000
CREDIT = (
    "Faces: ToonHead by Johan Melin (https://www.johanmelin.com), licensed under CC BY 4.0 "
    "(https://creativecommons.org/licenses/by/4.0/), drawn with DiceBear."
)
_PROGRAMS = ("dicebear-core", "dicebear-styles", "resvg-py")
_STYLE = "toon-head"


def recognises(path: Path) -> int:
    """No path: this set is asked for by its name."""
    return 0


@final
class FacesSource(Source):
    """The faces with the seeds "0" to "4999", each drawn at the size wanted."""

    HAS_FILES = False

    credit = CREDIT

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._style: Any = None

    @property
    def name(self) -> str:
        """Always ``faces``."""
        return "faces"

    @property
    def place(self) -> str:
        """Nowhere: its name."""
        return "built in"

    @property
    def version(self) -> str:
        """The versions of the programs that draw them; raises ``ResourceError`` if one is not installed."""
        try:
            return ", ".join(f"{program} {metadata.version(program)}" for program in _PROGRAMS)
        except metadata.PackageNotFoundError as missing:
            hint = f"Install it (pip install {' '.join(_PROGRAMS)}) or give a folder of images."
            raise ResourceError(
                f"the built-in faces are drawn with {missing.name}, which is missing", hint
            ) from None

    def entries(self) -> Iterator[Entry]:
        """One entry a seed."""
        return (Entry(f"face {seed}", 0, 0, locator=seed) for seed in range(NUM_FACES))

    def read(self, entry: Entry) -> bytes:
        """The drawing of a face as SVG."""
        # Imported late: these packages take 0.2 s, and the rest of this package works without them.
        from dicebear import Avatar, Style

        if self._style is None:
            text = resources.files("dicebear_styles").joinpath(f"{_STYLE}.json").read_text("utf-8")
            self._style = Style(json.loads(text))
        return Avatar(self._style, {"seed": str(entry.locator), "size": 64}).to_string().encode()

    def decode(self, raw: bytes | np.ndarray, framing: Preprocessing, frame: int = 0) -> Decoded:
        """Draws it so that the middle of the square has the size wanted: nothing is scaled afterwards."""
        from resvg_py import svg_to_bytes

        side = max(framing.width, framing.height)
        red, green, blue = framing.background
        try:
            png = svg_to_bytes(
                svg_string=bytes(raw).decode(),
                width=side,
                height=side,
                background=f"#{red:02x}{green:02x}{blue:02x}",
                skip_system_fonts=True,  # there is no text in a face
            )
        except ValueError as problem:
            raise UnusableImage(f"could not be drawn ({problem})") from None
        with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
            return decode_raster(np.asarray(image.convert("RGB")), framing, "SVG")
