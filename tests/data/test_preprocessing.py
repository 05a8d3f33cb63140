import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ganzfeld.data.decoding.preprocessing import Preprocessing, framing
from ganzfeld.errors import UsageError
from ganzfeld.options import PreparationOptions
from tests.data.making import noise, smooth


@pytest.mark.parametrize(
    ("target", "image", "box"),
    [
        ((64, 64), (64, 64), (0, 0, 64, 64)),
        ((64, 64), (65, 64), (0, 0, 64, 64)),
        ((64, 64), (1600, 1200), (200, 0, 1400, 1200)),
        ((96, 160), (300, 300), (60, 0, 240, 300)),
        ((160, 96), (300, 300), (0, 60, 300, 240)),
        ((64, 64), (1, 5000), (0, 2499, 1, 2500)),
    ],
)
def test_the_middle_is_kept(target: tuple[int, int], image: tuple[int, int], box: tuple[int, ...]):
    assert Preprocessing(*target).crop_box(*image) == box


@given(*[st.integers(8, 200)] * 2, *[st.integers(1, 5000)] * 2)
def test_the_crop_has_the_aspect_and_lies_inside(width: int, height: int, wide: int, high: int):
    left, top, right, bottom = Preprocessing(width, height).crop_box(wide, high)
    assert 0 <= left < right <= wide and 0 <= top < bottom <= high
    assert right - left == wide or bottom - top == high
    # Within the rounding to whole pixels.
    assert abs((right - left) * height - (bottom - top) * width) <= max(width, height)


def test_an_image_of_the_size_passes_unchanged():
    pixels = noise(48, 32)
    np.testing.assert_array_equal(Preprocessing(32, 48).frame(Image.fromarray(pixels)), pixels)


def test_scaling_averages_instead_of_skipping():
    """A fine checkerboard becomes grey; a filter that skips pixels would leave black and white."""
    board = (np.indices((640, 640)).sum(0) % 2 * 255).astype(np.uint8)
    small = Preprocessing(16, 16).frame(Image.fromarray(board))
    assert small.min() >= 126 and small.max() <= 129


@pytest.mark.parametrize("size", [(397, 211), (150, 400)])
@pytest.mark.parametrize(
    ("wanted", "most_off"), [((8, 8), 0), ((24, 8), 0), ((9, 20), 0), ((40, 24), 2), ((200, 150), 2)]
)
def test_a_band_at_a_time_gives_the_same_pixels(
    wanted: tuple[int, int], most_off: int, size: tuple[int, int]
):
    """Exactly, where blocks are averaged; where none are, the order of the passes depends on what is left."""
    pixels = smooth(size[1], size[0]) if most_off else noise(size[1], size[0])
    image, bands = Image.fromarray(pixels), []

    def plain(part: Image.Image) -> Image.Image:
        bands.append(part.height)
        return part.convert("L")

    off = Preprocessing(*wanted).frame(image, plain, band_pixels=500) - Preprocessing(*wanted).frame(
        image.convert("L")
    ).astype(int)
    assert np.abs(off).max() <= most_off and len(bands) > 1


def test_upscaling_is_smooth():
    small = Preprocessing(64, 64).frame(Image.fromarray(smooth(16, 16)))
    assert np.abs(np.diff(small.astype(int), axis=1)).max() < 40


@pytest.mark.parametrize(
    ("size", "channels", "background", "word"),
    [
        ((7, 64), None, "white", "8 to 4096"),
        ((64, 5000), None, "white", "8 to 4096"),
        ((64, 64), 2, "white", "channels must be 1 or 3, not 2"),
        ((64, 64), None, "whitish", "whitish"),
    ],
)
def test_what_cannot_be_meant_is_refused(size: tuple[int, int], channels: int, background: str, word: str):
    with pytest.raises(UsageError, match=word):
        framing(size, PreparationOptions(channels, background))


def test_settings_survive_json():
    wanted = framing((96, 160), PreparationOptions(1, "#123456"))
    assert Preprocessing.from_json(wanted.as_json()) == wanted
    assert wanted.background == (0x12, 0x34, 0x56)
