"""Read the bands of a TIFF from its tags, and explain those that Pillow drops or refuses silently."""

import io

from PIL import Image, TiffImagePlugin

BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLES_PER_PIXEL, SAMPLE_FORMAT, EXTRA_SAMPLES = 258, 262, 277, 339, 338
WHITE_IS_ZERO, BLACK_IS_ZERO, INKS = 0, 1, 5
UNSPECIFIED = 0


def why_not_read(tags: TiffImagePlugin.ImageFileDirectory_v2) -> str:
    """Return why a TIFF with these bands cannot be read, or ``""``."""
    number, kinds = _num_bands(tags), tags.get(EXTRA_SAMPLES, ())
    if number > 4:
        return f"{number} bands, but only images with 1, 3 or 4 are read; save the bands you want"
    if number == 2 and kinds not in ((1,), (2,)):
        return "2 bands, the second not marked as opacity, but only images with 1, 3 or 4 are read"
    return ""


def why_unknown(content: bytes) -> str:
    """Return why Pillow does not recognise a TIFF; ``""`` if its tags cannot be read."""
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(content[:8])
        stream = io.BytesIO(content)
        stream.seek(tags.next)
        tags.load(stream)
        number, bits = _num_bands(tags), tags.get(BITS_PER_SAMPLE, (1,))[0]
        if reason := why_not_read(tags):
            return reason
        if number > 2 and tags.get(PHOTOMETRIC) in (WHITE_IS_ZERO, BLACK_IS_ZERO):
            return f"{number} bands that are marked as grey; save them as RGB"
        return f"a damaged or unsupported TIFF ({bits} bits per sample); save it with 8 or 16"
    except Exception:  # noqa: BLE001  hostile bytes make Pillow's readers raise anything
        return ""


def unnamed_fourth(image: Image.Image) -> str:
    """Return how Pillow reads a fourth band of unknown meaning: ``over``, ``none``, or ``""`` if it is known.

    Pillow reads the band as opacity if the tag about extra samples is missing, and leaves it out if the tag
    says that its meaning is unspecified.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or _num_bands(image.tag_v2) != 4:
        return ""
    if image.tag_v2.get(PHOTOMETRIC) == INKS:
        return ""
    kinds = image.tag_v2.get(EXTRA_SAMPLES, ())
    return "over" if not kinds else "none" if kinds[0] == UNSPECIFIED else ""


def take_for_opacity(image: Image.Image) -> None:
    """Make Pillow keep, as opacity, the fourth band of an image that is not loaded yet."""
    assert isinstance(image, TiffImagePlugin.TiffImageFile)
    image._mode = "RGBA"
    image.tile = [tile._replace(args=_with_opacity(tile.args)) for tile in image.tile]


def _with_opacity(args: object) -> object:
    if isinstance(args, tuple):
        return (str(args[0]).replace("RGBX", "RGBA"), *args[1:])
    return str(args).replace("RGBX", "RGBA")


def _num_bands(tags: TiffImagePlugin.ImageFileDirectory_v2) -> int:
    return int(tags.get(SAMPLES_PER_PIXEL, 1))
