"""The file extensions of images and maps. They select candidates; the content decides what a file is."""

import os

EXTENSIONS = frozenset(
    f".{ending}"
    for ending in (
        *("png", "apng", "jpg", "jpeg", "jpe", "jfif", "webp", "avif", "gif", "bmp", "dib", "tif", "tiff"),
        *("ppm", "pgm", "pbm", "pnm", "fits", "fit"),
    )
)


def extension(name: str) -> str:
    """Return the extension in lower case with its dot, or ``""``."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122
