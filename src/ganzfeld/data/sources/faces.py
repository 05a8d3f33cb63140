"""The built-in dataset: 5,000 drawn faces, identical on every machine with the same package versions.

The drawings are *ToonHead* by Johan Melin, as distributed by DiceBear. ``CREDIT`` is the attribution that the
licence requires wherever these faces, or images generated from them, are shown.
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
from ganzfeld.data.sources._face_attributes import face_attributes
from ganzfeld.errors import ResourceError

BUILT_IN = True
NUM_FACES = 5_000
CREDIT = (
    "Faces: ToonHead by Johan Melin (https://www.johanmelin.com), licensed under CC BY 4.0 "
    "(https://creativecommons.org/licenses/by/4.0/), drawn with DiceBear."
)
_PROGRAMS = ("dicebear-core", "dicebear-styles", "resvg-py")
_STYLE = "toon-head"


def attributes_of_faces() -> list[dict[str, str]]:
    """Return the attributes of all faces in order, by name (``ATTRIBUTES``); takes three seconds.

    Raises ``ResourceError`` if the programs that draw the faces are not installed.
    """
    source = FacesSource(Path("faces"))
    _ = source.version  # raises if a program is missing
    return face_attributes(source.style, range(NUM_FACES))


def recognises(path: Path) -> int:
    """Recognise no path: this dataset is requested by its name."""
    return 0


@final
class FacesSource(Source):
    """The faces with the seeds "0" to "4999", each drawn at the training size."""

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
        """Always ``built in``."""
        return "built in"

    @property
    def version(self) -> str:
        """The versions of the programs that draw the faces; raises ``ResourceError`` if one is missing."""
        try:
            return ", ".join(f"{program} {metadata.version(program)}" for program in _PROGRAMS)
        except metadata.PackageNotFoundError as missing:
            hint = f"Install it (pip install {' '.join(_PROGRAMS)}) or give a folder of images."
            raise ResourceError(
                f"the built-in faces are drawn with {missing.name}, which is not installed", hint
            ) from None

    def entries(self) -> Iterator[Entry]:
        """Return one entry per seed."""
        return (Entry(f"face {seed}", 0, 0, locator=seed) for seed in range(NUM_FACES))

    def read(self, entry: Entry) -> bytes:
        """Return the drawing of a face as SVG."""
        # Imported late: importing these packages takes 0.2 s, and other sources work without them.
        from dicebear import Avatar

        return Avatar(self.style, {"seed": str(entry.locator), "size": 64}).to_string().encode()

    @property
    def style(self) -> Any:
        """The style of the drawings, a ``dicebear.Style``."""
        from dicebear import Style

        if self._style is None:
            text = resources.files("dicebear_styles").joinpath(f"{_STYLE}.json").read_text("utf-8")
            self._style = Style(json.loads(text))
        return self._style

    def decode(self, raw: bytes | np.ndarray, framing: Preprocessing, frame: int = 0) -> Decoded:
        """Draw the face so that the centre of the square has the training size, without scaling."""
        from resvg_py import svg_to_bytes

        side = max(framing.width, framing.height)
        red, green, blue = framing.background
        try:
            png = svg_to_bytes(
                svg_string=bytes(raw).decode(),
                width=side,
                height=side,
                background=f"#{red:02x}{green:02x}{blue:02x}",
                skip_system_fonts=True,  # the faces contain no text
            )
        except ValueError as problem:
            raise UnusableImage(f"cannot be drawn ({problem})") from None
        with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
            return decode_raster(np.asarray(image.convert("RGB")), framing, "SVG")
