"""Images of other than 1 or 3 bands: what is assumed is said, what is refused is so for its reason."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzfeld.data import open_images
from ganzfeld.data.check.survey import survey
from ganzfeld.data.decoding.decode import decode_file
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.errors import DataError, UsageError
from tests.data.making import encoded, noise, reason
from tests.data.test_value_range import png_16

INFRARED = noise(16, 16, 4, seed=1)


def tiff(samples: np.ndarray, extra: tuple[int, ...] | None = None, photometric: int = 2) -> bytes:
    """A TIFF of (height, width, bands) in 8 or 16 bits; ``extra`` is its tag on further samples."""
    height, width, bands = samples.shape
    pixels = samples.astype(samples.dtype.newbyteorder("<")).tobytes()
    bits = struct.pack(f"<{bands}H", *[8 * samples.itemsize] * bands)
    tags = [
        *((256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, photometric)),
        *((273, 4, 8), (277, 3, bands), (278, 4, height), (279, 4, len(pixels))),
        *([(338, 3, struct.pack(f"<{len(extra)}H", *extra))] if extra is not None else []),
    ]
    table_at = 8 + len(pixels) + len(pixels) % 2
    beyond, rows = b"", b""
    beyond_at = table_at + 2 + 12 * len(tags) + 4
    for tag, kind, value in tags:
        content = value if isinstance(value, bytes) else struct.pack("<I" if kind == 4 else "<H", value)
        count = len(content) // (4 if kind == 4 else 2)
        if len(content) > 4:
            place, beyond = struct.pack("<I", beyond_at + len(beyond)), beyond + content
        else:
            place = content.ljust(4, b"\0")
        rows += struct.pack("<HHI", tag, kind, count) + place
    head = b"II*\0" + struct.pack("<I", table_at) + pixels + b"\0" * (len(pixels) % 2)
    return head + struct.pack("<H", len(tags)) + rows + bytes(4) + beyond


def shown(content: bytes, **settings: Any) -> np.ndarray:
    return decode_file(content, Preprocessing(16, 16, **settings)).pixels


def over_white(samples: np.ndarray) -> np.ndarray:
    image = Image.new("RGBA", samples.shape[1::-1], (255, 255, 255, 255))
    image.alpha_composite(Image.fromarray(samples))
    return np.asarray(image.convert("RGB"))


def told(path: Path, **options: Any) -> str:
    """The text of the warning ``alpha-assumed``, ``""`` without one."""
    found = survey(open_images(path, (16, 16), workers=0, **options)).warnings
    return "".join(each.text for each in found if each.name == "alpha-assumed")


@pytest.fixture(params=["npy", "npy with channels first", "npz", "idx", "TIFF"])
def infrared(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Two images of red, green, blue and near infrared, which nothing says to be no opacity."""
    images = np.stack([INFRARED, INFRARED[::-1]])
    if request.param == "npz":
        np.savez(tmp_path / "set.npz", images=images)
        return tmp_path / "set.npz"
    if request.param == "idx":
        path = tmp_path / "images-idx4-ubyte"
        path.write_bytes(bytes([0, 0, 8, 4]) + struct.pack(">4L", *images.shape) + images.tobytes())
        return path
    if request.param == "TIFF":
        for number, image in enumerate(images):
            (tmp_path / f"{number}.tif").write_bytes(tiff(image))
        return tmp_path
    first = request.param != "npy"
    np.save(tmp_path / "set.npy", np.moveaxis(images, 3, 1) if first else images)
    return tmp_path / "set.npy"


@pytest.mark.parametrize("kind", ["8 bits", "16 bits", "npy"])
@pytest.mark.parametrize("background", ["white", "red"])
def test_images_that_are_wholly_transparent(tmp_path: Path, kind: str, background: str):
    samples = np.concatenate([noise(16, 16, 3), np.zeros((16, 16, 1), np.uint8)], axis=2)
    if kind == "npy":
        np.save(tmp_path / "set.npy", samples[None])
    else:
        content = encoded(samples) if kind == "8 bits" else png_16(samples.astype(np.uint16) * 257)
        (tmp_path / "a.png").write_bytes(content)
    path = tmp_path / "set.npy" if kind == "npy" else tmp_path
    found = survey(open_images(path, (16, 16), workers=0, background=background)).warnings
    texts = {each.name: each.text for each in found}
    assert "All images are fully transparent" in texts["transparent-images"]
    assert "--alpha none shows the colours beneath" in texts["transparent-images"]
    assert not {"value-range", "grey-as-colour"} & set(texts)
    shown = survey(open_images(path, (16, 16), workers=0, alpha="none")).warnings
    assert not {"transparent-images", "value-range"} & {each.name for each in shown}


class TestFourBands:
    def test_the_guess_is_said_and_can_be_corrected(self, infrared: Path):
        assert "2 images with a fourth channel" in told(infrared) and "--alpha none" in told(infrared)
        for alpha, expected in (
            (None, over_white(INFRARED)),
            ("over", over_white(INFRARED)),
            ("none", INFRARED),
        ):
            options: dict[str, Any] = {"alpha": alpha} if alpha else {}
            dataset = open_images(infrared, (16, 16), workers=0, **options)
            np.testing.assert_array_equal(dataset.batch(np.array([0]))[0], expected[:, :, :3])
            assert bool(told(infrared, **options)) == (alpha is None)

    def test_a_band_of_its_own_is_refused_for_its_reason(self, infrared: Path):
        with pytest.raises(
            DataError, match="a band besides its 1 or 3, which cannot be trained on yet; --alpha none"
        ):
            open_images(infrared, (16, 16), workers=0, alpha="band")

    def test_a_tiff_may_leave_the_meaning_open(self, tmp_path: Path):
        (tmp_path / "a.tif").write_bytes(tiff(INFRARED, (0,)))
        assert "of unspecified meaning: it was left out. --alpha over" in told(tmp_path)
        np.testing.assert_array_equal(shown(tiff(INFRARED, (0,))), INFRARED[:, :, :3])
        np.testing.assert_array_equal(shown(tiff(INFRARED, (0,)), alpha="over"), over_white(INFRARED))
        assert told(tmp_path, alpha="over") == told(tmp_path, alpha="none") == ""

    def test_16_bits_too(self):
        deep = INFRARED.astype(np.uint16) * 257
        for extra in (None, (0,), (2,)):
            np.testing.assert_array_equal(shown(tiff(deep, extra), alpha="none"), INFRARED[:, :, :3])
            np.testing.assert_array_equal(shown(tiff(deep, extra), alpha="over"), over_white(INFRARED))
        few = (INFRARED.astype(np.uint16) << 4)[:, :, :3]
        pixels = decode_file(tiff(few), Preprocessing(16, 16, range=(0, 4080))).pixels
        np.testing.assert_array_equal(pixels, INFRARED[:, :, :3])

    @pytest.mark.parametrize(
        "content",
        [encoded(INFRARED), tiff(INFRARED, (2,)), encoded(INFRARED, "WEBP", lossless=True, exact=True)],
    )
    def test_what_says_that_it_is_opacity_is_no_guess(self, tmp_path: Path, content: bytes):
        (tmp_path / "a.png").write_bytes(content)
        assert told(tmp_path) == ""
        np.testing.assert_array_equal(shown(content), over_white(INFRARED))
        np.testing.assert_array_equal(shown(content, alpha="none"), INFRARED[:, :, :3])

    def test_none_leaves_out_every_opacity(self):
        shades = noise(16, 16, 2)
        np.testing.assert_array_equal(
            shown(encoded(Image.fromarray(shades, "LA")), alpha="none")[:, :, 0], shades[:, :, 0]
        )
        image = Image.new("P", (16, 16), 0)
        image.putpalette([10, 20, 30] + [0] * 765)
        assert (shown(encoded(image, transparency=0), alpha="none") == [10, 20, 30]).all()
        assert (shown(encoded(image, transparency=0)) == 255).all()


class TestOtherNumbers:
    @pytest.mark.parametrize("number", [2, 5, 7])
    @pytest.mark.parametrize("layout", ["last", "first"])
    def test_arrays(self, tmp_path: Path, number: int, layout: str):
        shape = (100, 32, 32, number) if layout == "last" else (100, number, 32, 32)
        np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))
        with pytest.raises(UsageError, match=f"images with {number} channels, but only 1, 3 or 4 are read"):
            open_images(tmp_path / "a.npy", (16, 16), workers=0)

    @pytest.mark.parametrize(
        ("number", "word"),
        [(2, "but only 1, 3 or 4"), (3, r"\(1, 32, 32, 3\) would be read"), (5, "but only 1, 3")],
    )
    def test_a_single_image(self, tmp_path: Path, number: int, word: str):
        np.save(tmp_path / "a.npy", np.zeros((32, 32, number), np.uint8))
        with pytest.raises(DataError, match=f"a single image with {number} channels.*{word}"):
            open_images(tmp_path / "a.npy", (16, 16), workers=0)

    def test_idx(self, tmp_path: Path):
        content = bytes([0, 0, 8, 4]) + struct.pack(">4L", 3, 16, 16, 5) + bytes(3 * 16 * 16 * 5)
        (tmp_path / "images").write_bytes(content)
        with pytest.raises(UsageError, match="images with 5 channels, but only 1, 3 or 4 are read"):
            open_images(tmp_path / "images", (16, 16), workers=0)

    @pytest.mark.parametrize("photometric", [1, 2])
    @pytest.mark.parametrize("number", [2, 5, 6, 7])
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_tiff(self, number: int, photometric: int, dtype: type):
        samples = np.zeros((16, 16, number), dtype)
        for extra in (None, (0,) * (number - (3 if photometric == 2 else 1))):
            why = reason(tiff(samples, extra, photometric))
            assert why.startswith(f"{number} bands") and "only images with 1, 3 or 4 are read" in why

    @pytest.mark.parametrize("number", [3, 4])
    def test_tiff_whose_colours_are_marked_as_grey(self, number: int):
        why = reason(tiff(np.zeros((16, 16, number), np.uint16), (0,) * (number - 1), photometric=1))
        assert why == f"{number} bands that are marked as grey; save them as RGB"

    def test_grey_with_opacity_is_read(self):
        samples = noise(16, 16, 2)
        assert shown(tiff(samples, (2,), photometric=1)).shape == (16, 16, 1)
        assert shown(encoded(Image.fromarray(samples, "LA"))).shape == (16, 16, 1)
