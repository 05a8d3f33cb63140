"""Films of images: GIF, WebP, and MP4 where ffmpeg is installed."""

import importlib.util
import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
from PIL import Image

from ganzfeld.catalogue import did_you_mean
from ganzfeld.errors import ResourceError, UsageError

LEAST_SIDE = 256
"""Pixels: smaller images are enlarged by a whole factor, so that films can be watched."""
MOST_FPS = 50
"""Most browsers show GIF files no faster."""


def film_suffixes() -> tuple[str, ...]:
    """Return the file name endings of films."""
    return tuple(_WRITERS)


def require_film(path: Path, fps: float) -> None:
    """Raise ``UsageError`` for a film of an unknown format or speed, ``ResourceError`` without ffmpeg."""
    if path.suffix.lower() not in _WRITERS:
        hint = did_you_mean(path.suffix.lower(), [*_WRITERS, ".png"])
        raise UsageError(f"{path} is neither a film nor a PNG file", hint)
    if not 1 <= fps <= MOST_FPS:
        raise UsageError(f"a film has from 1 to {MOST_FPS} frames per second, not {fps:g}", "20 is usual.")
    if path.suffix.lower() == ".mp4":
        _ffmpeg()


def film(images: np.ndarray, suffix: str, fps: float) -> bytes:
    """Return a film of uint8 images (N, H, W, C), which starts again at its end (MP4: if the player does).

    Images smaller than 256 px are enlarged by a whole factor, without smoothing. Raises ``ResourceError`` for
    MP4 without ffmpeg.
    """
    factor = max(1, LEAST_SIDE // max(images.shape[1:3]))
    large = images.repeat(factor, axis=1).repeat(factor, axis=2)
    colour = np.broadcast_to(large, (*large.shape[:3], 3)) if large.shape[-1] == 1 else large
    return _WRITERS[suffix.lower()](colour, fps)


def _gif(images: np.ndarray, fps: float) -> bytes:
    """Return an animated GIF, each frame with the 256 colours that suit it best."""
    frames = [Image.fromarray(image).quantize(dither=Image.Dither.NONE) for image in images]
    return _animated(frames, "GIF", fps)


def _webp(images: np.ndarray, fps: float) -> bytes:
    return _animated([Image.fromarray(image) for image in images], "WEBP", fps, quality=90)


def _animated(frames: list[Image.Image], kind: str, fps: float, **options: int) -> bytes:
    buffer = io.BytesIO()
    duration = round(1000 / fps)
    frames[0].save(
        buffer, kind, save_all=True, append_images=frames[1:], duration=duration, loop=0, **options
    )
    return buffer.getvalue()


def _mp4(images: np.ndarray, fps: float) -> bytes:
    """Return an H.264 film, whose sides are even as its colour format requires."""
    height, width = images.shape[1:3]
    even = np.pad(images, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    size = f"{even.shape[2]}x{even.shape[1]}"
    with tempfile.TemporaryDirectory(prefix="ganzfeld-") as folder:
        out = Path(folder) / "film.mp4"
        words = [_ffmpeg(), "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size]
        words += ["-r", f"{fps:g}", "-i", "-", "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(out)]
        done = subprocess.run(words, input=even.tobytes(), capture_output=True, check=False)
        if done.returncode or not out.is_file():
            reason = done.stderr.decode("utf-8", "replace").strip()[-300:]
            raise ResourceError(f"ffmpeg could not make the film: {reason}", "Use .gif or .webp instead.")
        return out.read_bytes()


def _ffmpeg() -> str:
    """Return the path of ffmpeg: that of the system, or of the package imageio-ffmpeg."""
    if path := shutil.which("ffmpeg"):
        return path
    if importlib.util.find_spec("imageio_ffmpeg") is not None:
        return str(import_module("imageio_ffmpeg").get_ffmpeg_exe())
    raise ResourceError(
        "MP4 films are made with ffmpeg, which is not installed",
        "Install it (pip install imageio-ffmpeg), or name a file that ends in .gif or .webp.",
    )


_WRITERS: dict[str, Callable[[np.ndarray, float], bytes]] = {".gif": _gif, ".webp": _webp, ".mp4": _mp4}
