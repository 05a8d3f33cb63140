"""Sets whose values use little of their range: said for every source, and mended by ``range``."""

import io
import json
import struct
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzfeld.cli import main
from ganzfeld.data import open_images
from ganzfeld.data.cache.prune import prune
from ganzfeld.data.check.survey import survey
from ganzfeld.data.decoding.decode import decode_file
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.errors import DataError, UsageError
from ganzfeld.option_values import range_of, text_of_range
from tests.data.making import encoded, noise, reason, zipped

NUM = 5


def values(most: int, least: int = 0, dtype: type = np.uint16, number: int = NUM) -> np.ndarray:
    """(number, 16, 16) of random values, with the least and the greatest in each."""
    some = np.random.default_rng(0).integers(least, most, (number, 16, 16), endpoint=True)
    some[:, 0, 0], some[:, 0, 1] = least, most
    return some.astype(dtype)


def png_16(samples: np.ndarray) -> bytes:
    """A PNG of 16-bit colour or grey with opacity, which Pillow does not write: (height, width, channels)."""
    height, width, channels = samples.shape

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    kind = {2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def tiff_16(samples: np.ndarray, order: str = "<") -> bytes:
    """A TIFF of 16-bit colour, which Pillow does not write: (height, width, 3)."""
    height, width, _ = samples.shape
    pixels = samples.astype(order + "u2").tobytes()
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, 134), (259, 3, 1, 1), (262, 3, 1, 2)]
    tags += [(273, 4, 1, 140), (277, 3, 1, 3), (278, 4, 1, height), (279, 4, 1, len(pixels)), (284, 3, 1, 1)]
    written = b"".join(
        struct.pack(f"{order}HHI" + ("I" if kind == 4 or count > 1 else "Hxx"), tag, kind, count, value)
        for tag, kind, count, value in tags
    )
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return (
        head
        + struct.pack(order + "H", len(tags))
        + written
        + bytes(4)
        + struct.pack(order + "3H", 16, 16, 16)
        + pixels
    )


def as_folder(root: Path, images: np.ndarray, format: str = "PNG") -> Path:
    root.mkdir()
    for number, image in enumerate(images):
        (root / f"{number}.{format.lower()}").write_bytes(encoded(Image.fromarray(image), format))
    return root


def as_tiffs(root: Path, images: np.ndarray) -> Path:
    return as_folder(root, images, "TIFF")


def as_stylegan(root: Path, images: np.ndarray) -> Path:
    as_folder(root, images)
    (root / "dataset.json").write_text('{"labels": null}')
    return root


def as_zip(root: Path, images: np.ndarray) -> Path:
    members = {f"{number}.png": encoded(Image.fromarray(image)) for number, image in enumerate(images)}
    return zipped(root.with_suffix(".zip"), members)


def as_tar(root: Path, images: np.ndarray) -> Path:
    path = root.with_suffix(".tar")
    with tarfile.open(path, "w") as archive:
        for number, image in enumerate(images):
            content = encoded(Image.fromarray(image))
            member = tarfile.TarInfo(f"{number}.png")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def as_webdataset(root: Path, images: np.ndarray) -> Path:
    root.mkdir()
    as_tar(root / "shard-0", images)
    return root


def as_npy(root: Path, images: np.ndarray) -> Path:
    np.save(root.with_suffix(".npy"), images)
    return root.with_suffix(".npy")


def as_npz(root: Path, images: np.ndarray) -> Path:
    np.savez_compressed(root.with_suffix(".npz"), images=images)
    return root.with_suffix(".npz")


def as_idx(root: Path, images: np.ndarray) -> Path:
    path = root.with_name("images-idx3-ubyte")
    path.write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">3L", *images.shape) + images.tobytes())
    return path


def warning(path: Path, **options: Any) -> str:
    """The text of the warning ``value-range`` for a set, ``""`` without one."""
    found = survey(open_images(path, (16, 16), workers=0, **options)).warnings
    texts = [each.text for each in found if each.name == "value-range"]
    assert len(texts) < 2
    return texts[0] if texts else ""


def levels(path: Path, **options: Any) -> np.ndarray:
    """All pixels of a set."""
    dataset = open_images(path, (16, 16), workers=0, **options)
    return dataset.batch(np.arange(dataset.num_pictures))


def found_range(path: Path) -> str:
    """What the range ``auto`` finds in a set."""
    return open_images(path, (16, 16), workers=0, range="auto").range or ""


Write = Callable[[Path, np.ndarray], Path]
OF_16_BITS = [as_folder, as_tiffs, as_stylegan, as_zip, as_tar, as_webdataset, as_npy, as_npz]


class TestEverySource:
    @pytest.mark.parametrize("write", OF_16_BITS)
    @pytest.mark.parametrize("bits", [10, 12, 14])
    def test_few_bits_in_16(self, tmp_path: Path, write: Write, bits: int):
        most = 2**bits - 1
        path = write(tmp_path / "set", values(most - 3))
        text = warning(path)
        level = round((most - 3) / 257)
        assert f"The brightest value is {level} of 255 ({most - 3} of 65535 as stored)" in text
        assert f"--range 0:{most}, or --range auto" in text
        assert warning(path, range=f"0:{most}") == ""
        assert levels(path, range=f"0:{most}").max() >= 254

    @pytest.mark.parametrize("write", [*OF_16_BITS, as_idx])
    @pytest.mark.parametrize("most", [1, 20])
    def test_masks_and_class_numbers_of_8_bits(self, tmp_path: Path, write: Write, most: int):
        path = write(tmp_path / "set", values(most, dtype=np.uint8))
        assert f"{most} of 255 ({most} of 255 as stored)" in warning(path)
        assert f"--range 0:{most}, or" in warning(path)
        for wanted in (f"0:{most}", "auto"):
            assert warning(path, range=wanted) == ""
            assert len(np.unique(levels(path, range=wanted))) == most + 1
            assert levels(path, range=wanted).max() == 255

    @pytest.mark.parametrize("write", OF_16_BITS)
    def test_bright_and_narrow(self, tmp_path: Path, write: Write):
        path = write(tmp_path / "set", values(33_000, 30_000))
        assert (
            "between 117 and 128 of 255 (30000 to 33000 as stored): the images have little contrast"
            in warning(path)
        )
        assert "--range 30000:33000" in warning(path)
        assert warning(path, range="30000:33000") == ""

    @pytest.mark.parametrize("write", [as_folder, as_npy])
    def test_what_uses_its_range_is_left_in_peace(self, tmp_path: Path, write: Write):
        assert warning(write(tmp_path / "wide", values(65_535))) == ""
        assert warning(write(tmp_path / "bytes", values(255, dtype=np.uint8))) == ""

    def test_blank_images_are_none_of_it(self, tmp_path: Path):
        assert warning(as_npy(tmp_path / "set", np.zeros((5, 16, 16), np.uint8))) == ""

    def test_worker_processes_say_and_do_the_same(self, tmp_path: Path):
        path = as_npy(tmp_path / "set", values(4_095, number=100))
        dataset = open_images(path, (16, 16), range="0:4095", workers=2)
        np.testing.assert_array_equal(dataset.batch(np.arange(100)), levels(path, range="0:4095"))


class TestArrays:
    def test_floats_and_integers_beyond_any_agreed_range_name_the_option(self, tmp_path: Path):
        for least, most, dtype in ((-900, -100, np.int16), (0, 70_000, np.int32), (-3, 5, np.float32)):
            path = as_npy(tmp_path / "set", values(most, least, dtype))
            with pytest.raises(UsageError) as refused:
                levels(path)
            assert f"--range {least}:{most}, or --range auto" in refused.value.hint
            assert levels(path, range=f"{least}:{most}").max() == 255
            assert levels(path, range="auto").min() == 0

    @pytest.mark.parametrize(
        ("least", "most", "expected"),
        [(7.000000007209707, 246.99999995251594, "7:247"), (-0.12345, 1.98765, "-0.13:1.99")],
    )
    def test_the_range_named_is_short_and_holds_all(
        self, tmp_path: Path, least: float, most: float, expected: str
    ):
        path = as_npy(
            tmp_path / "set", np.linspace(least, most, 1024).reshape(16, 16, 4).transpose(2, 0, 1).copy()
        )
        with pytest.raises(UsageError) as refused:
            levels(path)
        assert f"--range {expected}, or --range auto" in refused.value.hint
        assert warning(path, range=expected) == ""

    def test_small_floats(self, tmp_path: Path):
        path = as_npy(tmp_path / "set", values(60, dtype=np.float32) / 1000)
        assert "--range 0:0.06, or --range auto" in warning(path)
        assert levels(path, range="0:0.06").max() == 255


class TestFiles:
    def test_sets_whose_files_differ(self, tmp_path: Path):
        path = as_folder(tmp_path / "set", values(4_095))
        for number in range(NUM):
            (path / f"of 8 bits {number}.png").write_bytes(encoded(noise(16, 16, seed=number)))
        assert (
            "In 5 of 10 images all values lie within a quarter of the range (the brightest is 16"
            in warning(path)
        )
        assert "differ in range" in warning(path)

    def test_one_bright_image_is_no_other_range(self, tmp_path: Path):
        images = (np.stack([noise(16, 16, seed=each) for each in range(20)]) / 255 * 4_095).astype(np.uint16)
        images[3, 5] = 65_535
        np.save(tmp_path / "hot.npy", images)
        found = warning(tmp_path / "hot.npy")
        assert found.startswith("In 19 of 20 images: the brightest value is 16 of 255")
        assert "--range 0:4095" in found and "differ in range" not in found

    @pytest.mark.parametrize("write", [*OF_16_BITS, as_idx])
    @pytest.mark.parametrize("side", [8, 16, 40])
    def test_a_hot_pixel_in_every_image_hides_nothing(self, tmp_path: Path, write: Write, side: int):
        white = 255 if write is as_idx else 65_535
        dark = np.random.default_rng(0).integers(0, white // 16, (NUM, side, side), endpoint=True)
        dark[:, 0, 0], dark[:, 0, 1] = 0, white // 16
        images = dark.astype(np.uint8 if write is as_idx else np.uint16)
        images[:, side // 2, side // 2] = white
        path = write(tmp_path / "set", images)
        text = warning(path)
        assert f"({white // 16} of {white} as stored): the images are almost black. " in text
        assert f"In 5 images a few pixels lie beyond that (0 to {white})." in text
        assert f"--range 0:{white // 16}, or" in text
        low, high = range_of(found_range(path))
        assert low <= white // 64 and high <= white // 16

    @pytest.mark.parametrize("side", [12, 16, 20, 40])
    def test_nor_does_one_that_is_scaled(self, tmp_path: Path, side: int):
        dark = np.random.default_rng(0).integers(0, 30, (20, side, side), np.uint8, endpoint=True)
        for number, image in enumerate(dark):
            image[side // 3 + number % 3, side // 2 - number % 4] = 255
        text = warning(as_folder(tmp_path / "set", dark))
        level = int(text.removeprefix("The brightest value is ").split()[0])
        assert level < 60 and "(30 of 255 as stored): the images are almost black." in text

    @pytest.mark.parametrize("few", [0, 1, 20])
    def test_few_bright_pixels_on_one_black_are_what_is_to_be_seen(self, tmp_path: Path, few: int):
        stars = np.zeros((NUM, 16, 16), np.uint8)
        stars.reshape(NUM, -1)[:, 100 : 100 + few] = 255
        assert warning(as_npy(tmp_path / "set", stars)) == ""

    @pytest.mark.parametrize("channels", [2, 4])
    @pytest.mark.parametrize("opacity", [0, 4_095, 32_768])
    def test_the_background_is_no_value_of_an_image(self, tmp_path: Path, channels: int, opacity: int):
        path = tmp_path / "set"
        path.mkdir()
        for number in range(10):
            rng = np.random.default_rng(number)
            samples = rng.integers(0, 4_095, (16, 16, channels), np.uint16, endpoint=True)
            samples[..., -1] = 65_535
            samples[: 8 * (number % 2), :, -1] = opacity
            (path / f"{number}.png").write_bytes(png_16(samples))
        text = warning(path)
        assert text.startswith("The brightest value is 15 of 255") and "almost black" in text
        if channels == 4:
            assert warning(path, range="0:4095") == ""

    def test_what_is_not_seen_is_no_value_of_an_image(self, tmp_path: Path):
        images = np.concatenate(
            [values(20, dtype=np.uint8)[..., None]] * 3 + [values(255)[..., None]], axis=3
        )
        images[:, :8], images[:, :8, :, 3] = 200, 0
        images[:, 8:, :, 3] = 255
        path = as_npy(tmp_path / "set", images)
        assert warning(path).startswith("The brightest value is 20 of 255 (20 of 255 as stored)")
        assert warning(path, range="0:20") == ""

    def test_one_hot_pixel_hides_nothing(self, tmp_path: Path):
        images = values(4_095, number=200)
        images[7, 3, 3] = 65_535
        path = as_npy(tmp_path / "set", images)
        assert "--range 0:4095" in warning(path)
        low, high = range_of(open_images(path, (16, 16), workers=0, range="auto").range or "")
        assert 0 <= low < 20 and 4_000 < high < 4_096

    def test_colour_of_16_bits(self, tmp_path: Path):
        path = tmp_path / "set"
        path.mkdir()
        samples = np.random.default_rng(0).integers(0, 4096, (16, 16, 3), dtype=np.uint16)
        samples[0, 0], samples[0, 1] = 0, 4095
        (path / "a.png").write_bytes(png_16(samples))
        assert "--range 0:4095" in warning(path)
        np.testing.assert_array_equal(levels(path, range="0:4095")[0], np.rint(samples / 4095 * 255))

    @pytest.mark.parametrize("channels", [3, 4])
    @pytest.mark.parametrize("most", [255, 4_095])
    def test_auto_sees_all_16_bits_of_colour(self, tmp_path: Path, channels: int, most: int):
        samples = np.random.default_rng(0).integers(0, most, (16, 16, channels), np.uint16, endpoint=True)
        samples[..., 3:] = 65_535
        (tmp_path / "set").mkdir()
        (tmp_path / "set" / "a.png").write_bytes(png_16(samples))
        array = as_npy(tmp_path / "array", samples[None, ..., :3])
        assert range_of(found_range(tmp_path / "set")) == range_of(found_range(array))
        assert levels(tmp_path / "set", range="auto").max() == 255

    @pytest.mark.parametrize("order", "<>")
    def test_auto_sees_all_16_bits_of_a_tiff_in_colour(self, tmp_path: Path, order: str):
        samples = np.random.default_rng(1).integers(100, 4_000, (16, 16, 3), np.uint16)
        (tmp_path / "set").mkdir()
        (tmp_path / "set" / "a.tif").write_bytes(tiff_16(samples, order))
        assert found_range(tmp_path / "set") == found_range(as_npy(tmp_path / "array", samples[None]))

    def test_opacity_is_no_colour(self):
        samples = np.full((16, 16, 4), 65_535, np.uint16)
        samples[:, :8, :3], samples[8:, :, 3] = 1_000, 0
        pixels = decode_file(png_16(samples), Preprocessing(16, 16, range=(0, 1_000))).pixels
        assert (pixels == 255).all()
        pixels = decode_file(png_16(samples), Preprocessing(16, 16, range=(500, 2_000))).pixels
        assert (pixels[:8, :8] == 85).all() and (pixels[8:] == 255).all()
        shades = np.full((16, 16, 4), 40, np.uint8)
        shades[:8, :, 3], shades[8:, :, 3] = 255, 0
        pixels = decode_file(encoded(shades), Preprocessing(16, 16, None, (1, 2, 3), (0, 80))).pixels
        assert (pixels[:8] == 128).all() and (pixels[8:] == [1, 2, 3]).all()

    def test_grey_with_opacity_of_16_bits_is_refused_rather_than_crushed(self):
        with pytest.raises(Exception, match="too few for --range"):
            decode_file(png_16(np.full((16, 16, 2), 9, np.uint16)), Preprocessing(16, 16, range=(0, 20)))

    def test_samples_without_an_agreed_range_are_read_with_one(self):
        for samples in (np.full((16, 16), 0.25, np.float32), np.full((16, 16), -2_000, np.int32)):
            content = encoded(Image.fromarray(samples), "TIFF")
            assert "--range LOW:HIGH" in reason(content)
            value = float(samples[0, 0])
            shown = decode_file(content, Preprocessing(16, 16, range=(value - 1, value + 1))).pixels
            assert (shown == 128).all()

    def test_palettes_inks_and_white_that_is_zero(self):
        image = Image.fromarray(np.zeros((16, 16), np.uint8)).convert("P")
        image.putpalette([10, 20, 0] + [0] * 765)
        wanted = Preprocessing(16, 16, range=(0, 20))
        assert decode_file(encoded(image), wanted).pixels[0, 0].tolist() == [128, 255, 0]
        ink = Image.new("CMYK", (16, 16), (245, 235, 255, 0))
        assert decode_file(encoded(ink, "TIFF"), wanted).pixels[0, 0].tolist() == [128, 255, 0]


class TestOption:
    def test_values_beyond_it_are_told(self, tmp_path: Path):
        path = as_npy(tmp_path / "set", values(4_095))
        assert "beyond the range 5:1000 become black or white: 5 images of 5" in warning(path, range="5:1000")

    def test_crushed_duplicates_are_explained(self, tmp_path: Path):
        path = as_npy(
            tmp_path / "set", np.full((4, 16, 16), 600, np.uint16) + np.arange(4)[:, None, None].astype("u2")
        )
        found = survey(open_images(path, (16, 16), workers=0))
        text = next(each.text for each in found.warnings if each.name == "duplicate-pictures")
        assert "may have made different images alike" in text

    def test_auto_is_found_once_and_is_the_same_set_as_its_numbers(self, tmp_path: Path):
        path = as_folder(tmp_path / "set", values(3_000, 200))
        found = open_images(path, (16, 16), workers=0, range="auto")
        again = open_images(path, (16, 16), workers=0, range="auto")
        as_numbers = open_images(path, (16, 16), workers=0, range=found.range)
        assert found.folder == again.folder == as_numbers.folder
        assert found.folder != open_images(path, (16, 16), workers=0).folder

    def test_a_range_that_is_cached_is_pruned(self, tmp_path: Path, cache: Path):
        path = as_npy(tmp_path / "set", values(3_000, 200))
        found = open_images(path, (16, 16), workers=0, range="auto").range
        assert len(list((cache / "ranges").iterdir())) == 1
        prune(cache, older_than_s=0)
        assert list((cache / "ranges").iterdir()) == []
        assert open_images(path, (16, 16), workers=0, range="auto").range == found

    def test_nothing_to_find(self, tmp_path: Path):
        with pytest.raises(DataError, match=r"all values .* are 7"):
            levels(as_npy(tmp_path / "set", np.full((3, 16, 16), 7, np.uint8)), range="auto")

    @pytest.mark.parametrize(
        "given", ["", "1", "1:1", "5:2", "a:b", "nan:1", "0:inf", "1:2:3", "0:1e-320", "-1e308:1e308"]
    )
    def test_what_is_no_range(self, tmp_path: Path, given: str):
        with pytest.raises(UsageError, match="range must be"):
            open_images(tmp_path, (16, 16), range=given)

    @pytest.mark.parametrize("pair", [(0.0, 4095.0), (-5.0, 0.1 + 0.2), (1e-7, 3e20)])
    def test_text_keeps_every_digit(self, pair: tuple[float, float]):
        assert range_of(text_of_range(*pair)) == pair

    def test_the_command_says_it(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        path = as_npy(tmp_path / "set", values(4_095))
        for words, expected in (([], 1), (["--range", "0:4095"], 0), (["--range", "auto"], 0)):
            with pytest.raises(SystemExit):
                main(["check", str(path), "--size", "16", "--json", *words])
            told = json.loads(capsys.readouterr().out)
            names = [each["name"] for each in told["warnings"] if "images are almost black" in each["text"]]
            assert names == ["value-range"] * expected
            assert (told["range"] is None) == (expected == 1)
