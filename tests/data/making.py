"""Real image files for the tests of this folder."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganzfeld.data.decoding.decode import Decoded, UnusableImage, decode_file
from ganzfeld.data.decoding.preprocessing import Preprocessing


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """uint8 (height, width, channels) of random values: no two alike, and nothing survives by accident."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def smooth(height: int, width: int, seed: int = 0) -> np.ndarray:
    """uint8 (height, width, 3) that JPEG and scaling hardly change."""
    coarse = Image.fromarray(noise(4, 4, 3, seed))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def encoded(pixels: np.ndarray | Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """The content of an image file."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels.squeeze())
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def decoded(content: bytes, width: int = 16, height: int = 16, channels: int | None = None) -> Decoded:
    """What ``decode_file`` makes of it."""
    return decode_file(content, Preprocessing(width, height, channels))


def reason(content: bytes) -> str:
    """Why ``decode_file`` refuses it; fails if it does not."""
    try:
        decoded(content)
    except UnusableImage as unusable:
        return str(unusable)
    raise AssertionError("this was decoded")


def fill(folder: Path, number: int, side: int = 16, begin: int = 0) -> Path:
    """Writes ``number`` different PNG files into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(begin, begin + number):
        (folder / f"{index:05}.png").write_bytes(encoded(noise(side, side, seed=index)))
    return folder


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip with these members."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path
