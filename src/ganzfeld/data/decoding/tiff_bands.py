"""Which bands a TIFF has, from its tags: what Pillow leaves out or refuses without a word is said here."""

import io

from PIL import Image, TiffImagePlugin

BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLES_PER_PIXEL, SAMPLE_FORMAT, EXTRA_SAMPLES = 258, 262, 277, 339, 338
WHITE_IS_ZERO, BLACK_IS_ZERO, INKS = 0, 1, 5
UNSPECIFIED = 0


def why_not_read(tags: TiffImagePlugin.ImageFileDirectory_v2) -> str:
    """Why a TIFF with such bands is not read, or ``""``."""
    number, kinds = _num_bands(tags), tags.get(EXTRA_SAMPLES, ())
    if number > 4:
        return f"{number} bands, and images of 1, 3 or 4 are read; save those wanted"
    if number == 2 and kinds not in ((1,), (2,)):
        return "2 bands, of which the second is not marked as opacity, and images of 1, 3 or 4 are read"
    return ""


def why_unknown(content: bytes) -> str:
    """Why Pillow does not know a file that begins as a TIFF; ``""`` where its tags cannot be read."""
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
        what = f"a TIFF that is damaged, or of a kind that is not read ({bits} bits a sample)"
        return f"{what}; save it with 8 or 16"
    except Exception:  # noqa: BLE001  hostile bytes make Pillow's readers raise anything
        return ""


def unnamed_fourth(image: Image.Image) -> str:
    """What Pillow makes of a fourth band whose meaning the file leaves open: ``over``, ``none`` or ``""``.

    It takes it for opacity where the tag about further samples is missing, and leaves it out where the tag
    says that its meaning is not specified.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or _num_bands(image.tag_v2) != 4:
        return ""
    if image.tag_v2.get(PHOTOMETRIC) == INKS:
        return ""
    kinds = image.tag_v2.get(EXTRA_SAMPLES, ())
    return "over" if not kinds else "none" if kinds[0] == UNSPECIFIED else ""


def take_for_opacity(image: Image.Image) -> None:
    """Let an image that is not loaded yet keep the fourth band that Pillow would leave out."""
    assert isinstance(image, TiffImagePlugin.TiffImageFile)
    image._mode = "RGBA"
    image.tile = [tile._replace(args=_with_opacity(tile.args)) for tile in image.tile]


def _with_opacity(given: object) -> object:
    if isinstance(given, tuple):
        return (str(given[0]).replace("RGBX", "RGBA"), *given[1:])
    return str(given).replace("RGBX", "RGBA")


def _num_bands(tags: TiffImagePlugin.ImageFileDirectory_v2) -> int:
    return int(tags.get(SAMPLES_PER_PIXEL, 1))
