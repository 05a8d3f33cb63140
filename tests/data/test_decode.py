"""The rules of decoding, each with a real file."""

import io
import struct
import subprocess
import sys
import zlib
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganzfeld.data.decoding import decode
from ganzfeld.data.decoding.decode import UnusableImage, decode_file, decode_raster
from ganzfeld.data.decoding.extensions import EXTENSIONS
from ganzfeld.data.decoding.preprocessing import Preprocessing
from tests.data.making import decoded, encoded, noise, reason, smooth


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM", "WEBP", "GIF", "JPEG", "AVIF"])
def test_every_allowed_format_is_read(format: str):
    pixels = smooth(16, 16)
    lossless = (
        {"lossless": True} if format == "WEBP" else {"quality": 95} if format in ("JPEG", "AVIF") else {}
    )
    result = decoded(encoded(pixels, format, **lossless))
    assert result.format == format
    off = np.abs(result.pixels.astype(int) - pixels).max()
    assert off <= {"JPEG": 40, "AVIF": 40, "GIF": 60}.get(format, 0)


def test_every_extension_is_of_an_allowed_format():
    Image.init()
    formats = {Image.registered_extensions().get(ending) for ending in EXTENSIONS}
    values = {"FITS"}  # which is read as maps, never as images
    assert formats - values <= {"PNG", "JPEG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "AVIF"}


class TestGrey:
    def test_grey_stays_grey(self):
        pixels = noise(16, 16, 1)
        result = decoded(encoded(pixels))
        assert result.grey and result.pixels.shape == (16, 16, 1)
        np.testing.assert_array_equal(result.pixels, pixels)

    def test_16_bits_are_scaled_and_not_clipped(self):
        values = np.array([0, 100, 257, 40_000, 65_535], np.uint16)
        samples = np.tile(values, (16, 4))[:, :16]
        png = encoded(Image.fromarray(samples))
        np.testing.assert_array_equal(decoded(png).pixels[0, :5, 0], [0, 0, 1, 156, 255])

    def test_the_transparent_value_of_16_bit_grey_shows_the_background(self):
        samples = np.full((16, 16), 40_000, np.uint16)
        samples[:8] = 50_000
        content = encoded(Image.fromarray(samples), transparency=50_000)
        for colour, shown in (((7, 7, 7), [7]), ((9, 8, 7), [9, 8, 7])):
            pixels = decode_file(content, Preprocessing(16, 16, None, colour)).pixels
            np.testing.assert_array_equal(pixels[0, 0], shown)
            assert (pixels[8:] == 156).all()

    def test_16_bit_tiff_of_either_byte_order(self):
        for order, kind in ((b"II", "<u2"), (b"MM", ">u2")):
            samples = np.full((16, 16), 40_000, kind)
            assert (decoded(_tiff(order, samples)).pixels == 156).all()

    @pytest.mark.parametrize(
        ("bits", "white_is_zero", "values", "shown"),
        [
            (12, False, [0, 1, 2048, 4095], [0, 0, 128, 255]),
            (16, True, [0, 25_535, 40_000, 65_535], [255, 156, 99, 0]),
            (16, False, [0, 25_535, 40_000, 65_535], [0, 99, 156, 255]),
            (8, True, [0, 1, 100, 255], [255, 254, 155, 0]),
        ],
    )
    def test_tiff_is_scaled_by_its_bits_and_turned_where_white_is_zero(
        self, bits: int, white_is_zero: bool, values: list[int], shown: list[int]
    ):
        samples = np.tile(np.array(values, "<u2"), (16, 4))
        result = decoded(_tiff(b"II", samples, bits, 0 if white_is_zero else 1))
        assert result.grey and result.pixels[5, :4, 0].tolist() == shown

    def test_tiff_of_samples_that_cannot_be_read_right_is_refused(self):
        samples = np.zeros((16, 16), "<u2")
        for bits in (8, 16):
            assert "signed samples" in reason(_tiff(b"II", samples, bits, 1, signed=True))
        assert "unsupported TIFF" in reason(_tiff(b"II", samples, 12, 0))

    def test_1_bit_is_black_and_white(self):
        board = Image.fromarray((np.indices((16, 16)).sum(0) % 2).astype(bool))
        result = decoded(encoded(board))
        assert result.mode == "1" and result.grey
        assert set(np.unique(result.pixels)) == {0, 255}

    def test_float_and_32_bit_are_refused(self):
        assert "range" in reason(encoded(Image.fromarray(np.ones((16, 16), np.float32)), "TIFF"))
        assert "range" in reason(encoded(Image.fromarray(np.ones((16, 16), np.int32)), "TIFF"))


class TestColour:
    def test_palette_becomes_its_colours(self):
        image = Image.fromarray(np.zeros((16, 16), np.uint8)).convert("P")
        image.putpalette([10, 200, 30] + [0] * 765)
        result = decoded(encoded(image))
        assert result.mode == "P" and not result.grey
        assert (result.pixels == [10, 200, 30]).all()

    def test_cmyk_becomes_rgb(self):
        image = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
        assert decoded(encoded(image, "TIFF")).pixels[0, 0].tolist() == [0, 255, 255]

    def test_the_channels_asked_for(self):
        red = encoded(Image.new("RGB", (16, 16), (255, 0, 0)))
        assert (decoded(red, channels=1).pixels == 76).all()
        assert decoded(red, channels=1).pixels.shape == (16, 16, 1)


class TestTransparency:
    @pytest.mark.parametrize(("background", "expected"), [((255, 255, 255), 255), ((0, 0, 0), 128)])
    def test_it_shows_the_background(self, background: tuple[int, int, int], expected: int):
        image = Image.new("RGBA", (16, 16), (255, 0, 0, 128))
        pixels = decode_file(encoded(image), Preprocessing(16, 16, None, background)).pixels
        assert pixels[0, 0, 0] == expected
        assert pixels[0, 0, 1] == (127 if background[0] else 0)

    def test_hidden_colours_do_not_shine_through(self):
        """Fully transparent pixels may hold anything; scaling must not mix it in."""
        pixels = np.zeros((64, 64, 4), np.uint8)
        pixels[::2] = (0, 255, 0, 0)
        pixels[1::2] = (255, 255, 255, 255)
        assert (decoded(encoded(pixels)).pixels == 255).all()

    def test_grey_with_alpha_stays_grey_on_grey_only(self):
        image = Image.new("LA", (16, 16), (0, 0))
        assert decoded(encoded(image)).pixels.shape[2] == 1
        on_red = decode_file(encoded(image), Preprocessing(16, 16, None, (255, 0, 0))).pixels
        assert on_red[0, 0].tolist() == [255, 0, 0]

    def test_transparent_palette_entry(self):
        image = Image.new("P", (16, 16), 0)
        image.putpalette([10, 20, 30] + [0] * 765)
        assert (decoded(encoded(image, "PNG", transparency=0)).pixels == 255).all()

    def test_transparent_colour(self):
        image = Image.new("RGB", (16, 16), (1, 2, 3))
        assert (decoded(encoded(image, "PNG", transparency=(1, 2, 3))).pixels == 255).all()


class TestGeometry:
    @pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
    @pytest.mark.parametrize("orientation", [1, 3, 6, 8])
    def test_a_turned_tiff_is_upright_and_so_is_its_size(self, orientation: int, compression: str):
        upright = smooth(32, 16)
        turns = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
        stored = Image.fromarray(upright)
        stored = stored.transpose(turns[orientation]) if orientation in turns else stored
        content = encoded(stored, "TIFF", compression=compression, tiffinfo={0x0112: orientation})
        result = decoded(content, 16, 32)
        np.testing.assert_array_equal(result.pixels, upright)
        assert (result.width, result.height) == (16, 32)

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_exif_orientation_is_applied(self, orientation: int):
        upright = smooth(32, 16)
        turns = {
            1: None,
            2: Image.Transpose.FLIP_LEFT_RIGHT,
            3: Image.Transpose.ROTATE_180,
            4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE,
            6: Image.Transpose.ROTATE_90,
            7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_270,
        }
        stored = Image.fromarray(upright)
        turn = turns[orientation]
        stored = stored if turn is None else stored.transpose(turn)
        exif = Image.Exif()
        exif[0x0112] = orientation
        result = decoded(encoded(stored, exif=exif), 16, 32)
        np.testing.assert_array_equal(result.pixels, upright)
        assert (result.width, result.height) == (16, 32)

    def test_a_turned_large_jpeg_is_not_decoded_too_small(self):
        """Its sides swap after decoding, and so must the sides that limit the shortcut."""
        exif = Image.Exif()
        exif[0x0112] = 6
        content = encoded(noise(1600, 400), "JPEG", exif=exif)
        with Image.open(io.BytesIO(content)) as stored:
            upright = stored.transpose(Image.Transpose.ROTATE_270)
        np.testing.assert_array_equal(decoded(content, 16, 128).pixels, Preprocessing(16, 128).frame(upright))

    def test_the_shortcut_for_large_jpegs_shows_no_difference(self):
        content = encoded(Image.fromarray(smooth(1200, 1600)), "JPEG", quality=95)
        with Image.open(io.BytesIO(content)) as image:
            full = Preprocessing(64, 64).frame(image)
        off = decoded(content, 64, 64).pixels.astype(int) - full
        assert np.abs(off).max() <= 3 and (off**2).mean() < 1
        assert decoded(content, 64, 64).width == 1600

    def test_the_first_frame_of_an_animation(self):
        frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
        for format in ("GIF", "PNG", "WEBP"):
            options = {"lossless": True} if format == "WEBP" else {}
            content = encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)
            assert (decoded(content).pixels[0, 0] == [255, 0, 0]).all(), format


class TestRefused:
    def test_nothing(self):
        assert reason(b"") == "empty file"

    @pytest.mark.parametrize(
        ("content", "word"),
        [
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
            (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "SVG"),
            (b"<!DOCTYPE html><title>404</title>", "web page"),
            (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
            (b"hello", "known format"),
        ],
    )
    def test_other_formats_by_content_and_not_by_name(self, content: bytes, word: str):
        assert word in reason(content)

    def test_a_postscript_file_that_pillow_could_read(self):
        assert "PostScript" in reason(encoded(Image.new("RGB", (16, 16)), "EPS"))

    @pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF"])
    def test_a_truncated_file(self, format: str):
        content = encoded(noise(64, 64), format)
        assert reason(content[: len(content) * 2 // 3])

    def test_a_truncated_jpeg_is_called_so(self):
        content = encoded(noise(200, 200), "JPEG")
        Image.open(io.BytesIO(content[:-2000])).verify()  # which is why a full decode is needed
        assert "truncated" in reason(content[:-2000])

    def test_a_huge_image_from_its_header(self):
        assert "megapixels" in reason(_png_of_zeros(20_000, 20_000, rows=0))
        assert "megapixels" in reason(_png_of_zeros(12_000, 12_000, rows=0))

    def test_a_large_webp_sooner(self):
        """Its decoder holds the image four times over, whatever the few bytes of the file."""
        assert "more than 67 megapixels" in reason(encoded(Image.new("RGB", (8300, 8300)), "WEBP", method=0))

    def test_a_raster_goes_the_same_way(self):
        result = decode_raster(noise(16, 16, 1), Preprocessing(16, 16), "IDX")
        assert result.grey and result.format == "IDX"
        with_alpha = np.dstack([noise(16, 16), np.zeros((16, 16), np.uint8)])
        assert (decode_raster(with_alpha, Preprocessing(16, 16), "array").pixels == 255).all()


class TestMemory:
    """A file of a few kilobytes may be a large image: how much that takes is bounded."""

    @pytest.mark.skipif(sys.platform != "linux", reason="other systems do not hold a process to RLIMIT_DATA")
    @pytest.mark.parametrize(
        ("mode", "options", "most_bytes"),
        [
            ("RGBA", {"format": "PNG"}, 4),
            ("LA", {"format": "PNG"}, 4),
            ("RGB", {"format": "PNG", "transparency": (1, 2, 3)}, 4),
            ("P", {"format": "PNG", "transparency": 0}, 1),
            ("I;16", {"format": "PNG", "transparency": 1}, 2),
            ("RGBA", {"format": "TIFF", "compression": "tiff_lzw"}, 4),
            (
                "RGB",
                {"format": "PNG", "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\3\0\0\0\1\0\6\0\0"},
                8,
            ),
            ("CMYK", {"format": "JPEG", "progressive": True}, 8),
            ("RGBA", {"format": "WEBP", "lossless": True, "method": 0}, 16),
        ],
        ids=lambda value: value["format"] if isinstance(value, dict) else str(value),
    )
    def test_bytes_a_pixel(self, mode: str, options: dict, most_bytes: int, tmp_path: Path):
        side = 4000
        (tmp_path / "a").write_bytes(encoded(Image.new(mode, (side, side), 1), **options))
        code = """if True:
            import re, resource, sys
            from pathlib import Path
            from tests.data.making import decoded, encoded, noise
            decoded(encoded(noise(16, 16)))
            content = Path(sys.argv[1]).read_bytes()
            taken = int(re.search(r"VmData:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
            resource.setrlimit(resource.RLIMIT_DATA, (taken + int(sys.argv[2]),) * 2)
            decoded(content)
        """
        room = most_bytes * side**2 + 2**25
        command = [sys.executable, "-c", code, str(tmp_path / "a"), str(room)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr[-300:]

    @pytest.mark.parametrize(
        ("size", "options", "turns"),
        [
            ((6000, 6000), {"format": "PNG"}, 1),
            ((5700, 5700), {"format": "PNG"}, 0),
            ((6000, 6000), {"format": "JPEG"}, 0),
            ((6000, 6000), {"format": "JPEG", "progressive": True}, 1),
        ],
    )
    def test_very_large_ones_wait_for_their_turn(
        self, size: tuple[int, int], options: dict, turns: int, monkeypatch: pytest.MonkeyPatch
    ):
        taken = []
        monkeypatch.setattr(decode, "large_image_lock", lambda: nullcontext(taken.append(1)))
        decoded(encoded(Image.new("L", size), **options))
        assert len(taken) == turns


def test_pillow_says_nothing_on_the_terminal(tmp_path: Path):
    content = encoded(noise(16, 16), "TIFF")
    entry = struct.pack("<HHI", 277, 3, 1)  # the tag with the samples per pixel
    assert content.count(entry) == 1
    at = content.index(entry) + len(entry)
    (tmp_path / "a.tiff").write_bytes(content[:at] + struct.pack("<H", 1025) + content[at + 2 :])
    code = "import sys; from pathlib import Path; from tests.data.making import reason; "
    code += "print(reason(Path(sys.argv[1]).read_bytes()))"
    told = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.tiff"], capture_output=True, text=True, check=True
    )
    assert told.stdout and not told.stderr


def test_the_reason_is_one_line():
    with pytest.raises(UnusableImage) as refused:
        decoded(encoded(noise(64, 64), "JPEG")[:300])
    assert "\n" not in str(refused.value)


def _tiff(
    order: bytes, samples: np.ndarray, bits: int = 16, photometric: int = 1, *, signed: bool = False
) -> bytes:
    """The smallest grey TIFF of 16x16 px: Pillow writes one byte order only, and few layouts."""
    mark = "<" if order == b"II" else ">"
    stored = samples.tobytes()
    if bits == 8:
        stored = samples.astype(np.uint8).tobytes()
    elif bits == 12:
        digits = "".join(f"{value:03x}" for value in samples.ravel().tolist())
        stored = bytes.fromhex(digits)
    tags = [(256, 4, 16), (257, 4, 16), (258, 3, bits), (259, 3, 1), (262, 3, photometric), (273, 4, 8)]
    tags += [(277, 3, 1), (278, 4, 16), (279, 4, len(stored))] + ([(339, 3, 2)] if signed else [])
    directory = struct.pack(f"{mark}H", len(tags))
    for tag, kind, value in tags:
        shown = struct.pack(f"{mark}HH", value, 0) if kind == 3 else struct.pack(f"{mark}L", value)
        directory += struct.pack(f"{mark}HHL", tag, kind, 1) + shown
    head = order + struct.pack(f"{mark}HL", 42, 8 + len(stored))
    return head + stored + directory + bytes(4)


def _png_of_zeros(width: int, height: int, rows: int) -> bytes:
    """A PNG whose header says what it likes; ``rows`` of zeros follow."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))

    header = struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes((1 + 3 * width) * rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
