"""Names of files that may hold images: by their extension, which alone decides nothing."""

import os

EXTENSIONS = frozenset(
    f".{ending}"
    for ending in (
        *("png", "apng", "jpg", "jpeg", "jpe", "jfif", "webp", "avif", "gif", "bmp", "dib", "tif", "tiff"),
        *("ppm", "pgm", "pbm", "pnm"),
    )
)


def extension(name: str) -> str:
    """The extension in small letters with its dot, or ``""``."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122
