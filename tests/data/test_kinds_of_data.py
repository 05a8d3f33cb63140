"""Kinds of data: values come out of the cache as the file holds them, and what is unclear is asked for."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from ganzfeld.data import ImageDataset, open_images
from ganzfeld.data.axes import axes_of, channels_last_by
from ganzfeld.data.check.contact_sheet import contact_sheet
from ganzfeld.data.check.duplicate_sheet import duplicate_sheet
from ganzfeld.data.check.survey import survey
from ganzfeld.data.decoding.decode import UnusableImage
from ganzfeld.data.decoding.fits import fits_values
from ganzfeld.data.kinds import kind_of_data, kinds
from ganzfeld.errors import DataError, UsageError


def saved(folder: Path, array: np.ndarray) -> Path:
    np.save(folder / "data.npy", array)
    return folder / "data.npy"


def opened(folder: Path, array: np.ndarray, size: Any = 8, **options: Any) -> ImageDataset:
    return open_images(saved(folder, array), size, kind="map", progress=False, workers=0, **options)


def stored(dataset: ImageDataset) -> np.ndarray:
    return dataset.batch(np.arange(dataset.num_pictures))


def field(shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 1e3, shape)
    return (
        noise.astype(dtype)
        if np.dtype(dtype).kind == "f"
        else (noise.astype(np.int64) % 60_000).astype(dtype)
    )


@pytest.mark.parametrize("name", kinds.names())
def test_an_entry_keeps_the_contract(name: str):
    from ganzfeld.data.scales import scales

    kind = kind_of_data(name)
    assert kind.DIMS in (1, 2) and name == kind.WORD
    assert kind.SCALES and set(kind.SCALES) <= set(scales.names())
    assert {"mirror", "crop"} >= kind.AUGMENTATIONS


class TestMap:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
    @pytest.mark.parametrize(("axes", "channels"), [("NHWC", 5), ("nchw", 5), ("NHW", 1), (None, 1)])
    def test_values_and_channels_are_those_of_the_file(
        self, tmp_path: Path, dtype: Any, axes: str | None, channels: int
    ):
        array = field((4, 8, 16, channels), dtype)
        file = array[..., 0] if channels == 1 else np.moveaxis(array, 3, 1) if axes == "nchw" else array
        dataset = opened(tmp_path, file, "16x8", axes=axes)
        assert stored(dataset).dtype == dtype == dataset.dtype
        assert np.array_equal(stored(dataset), array)
        assert dataset.size == (16, 8) and dataset.channels == channels

    def test_what_is_read_back_after_its_scale_is_what_was_there(self, tmp_path: Path):
        array = np.abs(field((3, 8, 8, 2))) + 1e-3
        for scale in ("linear", "log", "asinh", "standard", "peak"):
            dataset = opened(tmp_path, array, axes="NHWC", scale=scale)
            seen = dataset.scale.encode(stored(dataset).astype(np.float32))
            assert dataset.scale.name == scale and np.allclose(
                dataset.scale.decode(seen), array, rtol=1e-5, atol=1e-3
            )

    def test_larger_fields_become_tiles_from_their_centre(self, tmp_path: Path):
        array = field((2, 18, 27))
        dataset = opened(tmp_path, array)
        assert dataset.num_pictures == 2 * 2 * 3
        # One row and one column are left out on either side, and one more at the end.
        assert np.array_equal(stored(dataset)[0, ..., 0], array[0, 1:9, 1:9])
        assert np.array_equal(stored(dataset)[6 + 5, ..., 0], array[1, 9:17, 17:25])

    def test_one_field_without_items(self, tmp_path: Path):
        array = field((3, 16, 8))
        dataset = opened(tmp_path, array, axes="CHW")
        assert dataset.num_pictures == 2 and dataset.channels == 3
        assert np.array_equal(stored(dataset)[1], np.moveaxis(array, 0, 2)[8:])

    def test_worker_processes_read_the_same(self, tmp_path: Path):
        path = saved(tmp_path, field((70, 8, 8, 2), np.uint16))
        sets = [
            open_images(
                path, 8, kind="map", axes="NHWC", progress=False, workers=n, cache_dir=tmp_path / str(n)
            )
            for n in (0, 1)
        ]
        assert (
            np.array_equal(stored(sets[0]), stored(sets[1])) and sets[0].content_hash == sets[1].content_hash
        )

    def test_items_with_values_that_are_no_numbers_are_left_out_and_named(self, tmp_path: Path):
        array = field((4, 8, 8)).astype(np.float64)
        array[1, 2, 3], array[2, 0, 0] = np.nan, 1e300
        dataset = opened(tmp_path, array)
        assert [each.reason for each in dataset.unusable] == [
            "1 of its 64 values are NaN",
            "1 of its 64 values are infinite or beyond 3.4e38",
        ]
        assert any("float64 is kept as float32" in note for note in dataset.notes)

    def test_too_small_a_field_is_named(self, tmp_path: Path):
        with pytest.raises(DataError, match="smaller than one map: 8x8, and 16x16 are needed"):
            opened(tmp_path, field((4, 8, 8)), 16)

    def test_zeros_under_a_log_are_named(self, tmp_path: Path):
        with pytest.raises(DataError, match="the scale log needs values above 0"):
            opened(tmp_path, np.zeros((4, 8, 8), np.float32), scale="log")


class TestChoices:
    @pytest.mark.parametrize(
        "array",
        [
            field((4, 8, 8)),
            field((4, 8, 8, 5)),
            field((4, 5, 8, 8)),
            field((2, 4, 8, 8, 3)),
            field((9, 9, 9, 9)),
        ],
    )
    def test_what_the_format_leaves_open_is_asked_for(self, tmp_path: Path, array: np.ndarray):
        with pytest.raises(UsageError) as refused:
            open_images(saved(tmp_path, array), 8, progress=False, workers=0)
        assert "--kind" in refused.value.hint and "--axes" in refused.value.hint

    def test_bytes_stay_images(self, tmp_path: Path):
        path = saved(tmp_path, field((4, 8, 8), np.uint8))
        dataset = open_images(path, 8, progress=False, workers=0)
        assert dataset.framing.kind == "image" and dataset.manifest.scale == {"name": "bytes", "most": 255.0}
        named = open_images(path, 8, kind="image", scale="bytes", progress=False, workers=0)
        assert named.folder == dataset.folder

    @pytest.mark.parametrize(
        ("options", "word"),
        [
            ({"axes": "NHC"}, "H and W are needed"),
            ({"axes": "NCHW"}, "name 4 axes, but .* has 3"),
            ({"axes": "HNW"}, "the items must be the first axis"),
            ({"scale": "letters"}, "the scale letters is not for the kind map"),
            ({"scale": "logg"}, "unknown scale"),
        ],
    )
    def test_options_that_do_not_fit(self, tmp_path: Path, options: dict[str, Any], word: str):
        with pytest.raises(UsageError, match=word):
            opened(tmp_path, field((4, 8, 8)), **options)

    def test_a_kind_that_the_source_is_not(self, tmp_path: Path):
        path = saved(tmp_path, field((4, 8, 8)))
        for kind, word in (("sequence", "cannot be read as kind sequence"), ("mapp", "unknown kind of data")):
            with pytest.raises(UsageError, match=word):
                open_images(path, 8, kind=kind, progress=False, workers=0)
        with pytest.raises(UsageError, match="axes are for arrays that are no images"):
            open_images(saved(tmp_path, field((4, 8, 8), np.uint8)), 8, axes="NHW", progress=False, workers=0)


class TestAxes:
    @pytest.mark.parametrize("axes", ["NCHW", "NHWC", "NWHC", "CHW", "HWC", "HW", "WH", "NHW"])
    def test_every_order_comes_out_the_same(self, axes: str):
        sizes = {"C": 2, "H": 3, "W": 4}
        item = np.arange(24).reshape(3, 4, 2)[..., : 2 if "C" in axes else 1]
        letters = axes.removeprefix("N")
        array = (item if "C" in letters else item[..., 0]).transpose(
            [("HWC" if "C" in letters else "HW").index(letter) for letter in letters]
        )
        assert array.shape == tuple(sizes[letter] for letter in letters)
        assert np.array_equal(channels_last_by(axes, array), item)

    def test_of_sequences(self):
        assert axes_of("ncl", 3, 1, "it") == "NCL" and axes_of(None, 2, 1, "it") == "NL"


class TestCheck:
    def test_names_constant_channels_unused_bits_and_repetitions(self, tmp_path: Path):
        array = field((300, 8, 8, 2), np.uint16) % 4096
        array[..., 1] = 7
        array[299] = array[0]
        surveyed = survey(opened(tmp_path, array, axes="NHWC", scale="bytes"))
        texts = {warning.name: warning.text for warning in surveyed.warnings}
        assert "channel 1 is the same everywhere" in texts["constant-channels"]
        assert "12-bit data" in texts["bit-depth"]
        assert texts["duplicate-pictures"].startswith("1 map of 300 repeat others")
        assert [group.entries for group in surveyed.duplicates] == [(0, 299)]
        assert contact_sheet(surveyed.dataset).size == (8 * (16 + 2) + 2, 8 * (8 + 2) + 2), (  # two channels
            "two channels wide"
        )
        assert duplicate_sheet(surveyed.dataset, surveyed.duplicates).num_groups == 1
        told = surveyed.as_json()
        assert told["kind_of_data"] == "map" and told["type"] == "uint16" and told["scale"]["name"] == "bytes"
        assert told["channels"] == 2 and told["size"] == [8, 8]


def fasta(folder: Path, *records: str, begin: str = "") -> Path:
    path = folder / "genes.fa"
    path.write_text(begin + "".join(f">s{number} some gene\n{text}\n" for number, text in enumerate(records)))
    return path


def opened_fasta(path: Path, size: Any = 8) -> ImageDataset:
    return open_images(path, size, progress=False, workers=0)


class TestFasta:
    def test_letters_come_out_as_they_were_over_lines_and_cases(self, tmp_path: Path):
        dataset = opened_fasta(fasta(tmp_path, "ACGT\nTGCA", "aaaa\r\ncccc"))
        assert stored(dataset)[..., 0].tolist() == [[0, 1, 2, 3, 3, 2, 1, 0], [0] * 4 + [1] * 4]
        assert (dataset.size, dataset.channels, dataset.stored_channels) == ((8,), 4, 1)
        assert dataset.manifest.scale == {"name": "letters", "letters": "ACGT"}
        assert "8 letters in lower case (soft-masked) are read as capitals" in dataset.notes

    def test_what_cannot_be_used_is_named(self, tmp_path: Path):
        texts = ("ACGTACGT", "ACGTNCGT", "ACGT", "", "ACGTACG1")
        dataset = opened_fasta(fasta(tmp_path, *texts, "ACCTACGT", "ACCTACCT", "ACCTACCC"))
        assert [(Path(each.path).name, each.reason) for each in dataset.unusable] == [
            ("genes.fa[s1]", "1 of its 8 letters are none of the alphabet (the first is number 5)"),
            ("genes.fa[s2]", "smaller than one sequence: 4, and 8 are needed"),
            ("genes.fa[s3]", "smaller than one sequence: 0, and 8 are needed"),
            ("genes.fa[s4]", "'1', letter 8, is none of ACGT and their codes"),
        ]

    def test_longer_sequences_become_windows(self, tmp_path: Path):
        dataset = opened_fasta(fasta(tmp_path, "T" + "ACGTACGT" + "CCCCCCCC" + "TT"))
        assert stored(dataset)[..., 0].tolist() == [[0, 1, 2, 3] * 2, [1] * 8]
        assert any("1 sequences have more than 8 letters" in note for note in dataset.notes)

    @pytest.mark.parametrize(
        ("text", "alphabet"), [("ACGUACGU", "ACGU"), ("MKLVFEEIPQ"[:8], "ACDEFGHIKLMNPQRSTVWY")]
    )
    def test_alphabets(self, tmp_path: Path, text: str, alphabet: str):
        assert opened_fasta(fasta(tmp_path, text)).manifest.facts["letters"] == alphabet

    def test_reverse_complements_are_duplicates(self, tmp_path: Path):
        dataset = opened_fasta(fasta(tmp_path, "AACCGTAC", "GTACGGTT", "AACCGTAG", "AACCGTAC"))
        surveyed = survey(dataset)
        assert [group.entries for group in surveyed.duplicates] == [(0, 1, 3)]
        assert any("reverse complements" in warning.text for warning in surveyed.warnings)

    def test_an_empty_file(self, tmp_path: Path):
        for begin in ("", "no record\n"):
            with pytest.raises(DataError, match="records that begin with a line >NAME"):
                opened_fasta(fasta(tmp_path, begin=begin))

    def test_options_that_do_not_fit(self, tmp_path: Path):
        path = fasta(tmp_path, "ACGTACGT")
        with pytest.raises(UsageError, match="cannot be read as kind map"):
            open_images(path, 8, kind="map", progress=False, workers=0)
        with pytest.raises(UsageError, match="is not a length"):
            opened_fasta(path, "8x16")


def fits(values: np.ndarray, **cards: Any) -> bytes:
    """The content of a FITS file, written by the standard and not by our reader."""
    bits = {"u1": 8, "i2": 16, "i4": 32, "f4": -32, "f8": -64}[values.dtype.str[1:]]
    sides = {f"NAXIS{number}": side for number, side in enumerate(values.shape[::-1], 1)}
    header = {"SIMPLE": "T", "BITPIX": bits, "NAXIS": values.ndim} | sides | cards
    text = "".join(f"{name:<8}= {value!s:>20} / comment".ljust(80) for name, value in header.items())
    text += "END".ljust(80)
    content = values.astype(values.dtype.newbyteorder(">")).tobytes()
    return (text + " " * (-len(text) % 2880)).encode() + content + bytes(-len(content) % 2880)


class TestFiles:
    def test_fits(self, tmp_path: Path):
        array = field((3, 16, 16))
        for number, values in enumerate(array):
            (tmp_path / f"{number}.fits").write_bytes(fits(values))
        dataset = open_images(tmp_path, 8, kind="map", progress=False, workers=0)
        assert dataset.num_pictures == 12 and dataset.dtype == np.float32
        assert np.array_equal(stored(dataset)[4 + 3, ..., 0], array[1, 8:, 8:])

    @pytest.mark.parametrize(
        ("values", "cards", "expected"),
        [
            (np.array([[-32768, 0], [5, 32767]], np.int16), {"BZERO": 32768}, [[0, 32768], [32773, 65535]]),
            (
                np.array([[1, 2], [3, -9]], np.int16),
                {"BSCALE": 0.5, "BZERO": 10.0},
                [[10.5, 11], [11.5, 5.5]],
            ),
            (np.array([[1, 2], [3, -9]], np.int32), {"BLANK": -9}, [[1, 2], [3, np.nan]]),
            (np.array([[0.1, 2e300]], np.float64), {}, [[0.1, 2e300]]),
        ],
    )
    def test_units_of_fits(self, values: np.ndarray, cards: dict[str, Any], expected: list[list[float]]):
        read = fits_values(fits(values, **cards))
        assert np.array_equal(read, expected, equal_nan=True)
        assert read.dtype == np.uint16 or cards.get("BZERO") != 32768

    @pytest.mark.parametrize(
        ("name", "value"), [("BSCALE", "'x'"), ("BZERO", "abc"), ("BSCALE", "nan"), ("PCOUNT", "1e400")]
    )
    def test_fits_with_text_for_a_number(self, name: str, value: str):
        cards = {"SIMPLE": "T", "BITPIX": 16, "NAXIS": 1, "NAXIS1": 0 if name == "PCOUNT" else 4, name: value}
        header = "".join(f"{card:<8}= {content!s:>20}".ljust(80) for card, content in cards.items())
        with pytest.raises(UnusableImage, match=f"no number as {name}"):
            fits_values((header + "END".ljust(80)).ljust(2880).encode() + bytes(2880))

    def test_damaged_fits(self):
        whole = fits(field((8, 8)))
        for damaged in (whole[:100], whole[: 2880 + 100], b"SIMPLE  =" + bytes(3000)):
            with pytest.raises(UnusableImage):
                fits_values(damaged)

    @pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.int16])
    def test_tiff_with_any_number_of_channels(self, tmp_path: Path, dtype: Any):
        array = field((5, 8, 8), dtype)
        tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack", metadata={"axes": "CYX"})
        tifffile.imwrite(tmp_path / "b.tif", array[:4], photometric="minisblack", metadata={"axes": "CYX"})
        dataset = open_images(tmp_path, 8, kind="map", progress=False, workers=0)
        assert dataset.dtype == (np.uint16 if dtype is np.uint16 else np.float32)
        assert np.array_equal(stored(dataset)[0], np.moveaxis(array, 0, 2))
        assert [each.reason for each in dataset.unusable] == ["it has 4 channels, and the first file has 5"]

    def test_pages_of_a_tiff_are_what_the_user_says(self, tmp_path: Path):
        array = field((5, 8, 16))
        tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack")
        with pytest.raises(UsageError, match="3 axes, and nothing says what they mean") as refused:
            open_images(tmp_path, 8, kind="map", progress=False, workers=0)
        assert "--axes" in refused.value.hint
        items = open_images(tmp_path, 8, kind="map", axes="NHW", progress=False, workers=0)
        assert items.num_pictures == 10 and np.array_equal(stored(items)[7, ..., 0], array[3, :, 8:])
        channels = open_images(tmp_path, 8, kind="map", axes="CHW", progress=False, workers=0)
        assert channels.channels == 5 and channels.num_pictures == 2

    def test_hdf5(self, tmp_path: Path):
        array = field((6, 8, 8, 3), np.uint16)
        with h5py.File(tmp_path / "cells.h5", "w") as file:
            file.create_dataset("group/cells", data=array, compression="gzip")
            file["names"] = np.arange(6)
        with pytest.raises(UsageError, match="does not say what the data are") as refused:
            open_images(tmp_path / "cells.h5", 8, progress=False, workers=0)
        assert "--kind" in refused.value.hint and "--axes" in refused.value.hint
        options: dict[str, Any] = {"kind": "map", "progress": False, "workers": 0}
        dataset = open_images(tmp_path / "cells.h5", 8, axes="NHWC", **options)
        assert np.array_equal(stored(dataset), array) and dataset.dtype == np.uint16

    def test_hdf5_that_cannot_be_read(self, tmp_path: Path):
        (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\nno such thing")
        with h5py.File(tmp_path / "b.h5", "w") as file:
            file["one"], file["two"] = np.zeros((4, 8, 8)), np.zeros((4, 8, 8))
        for name, word in (("a.h5", "cannot be read as HDF5"), ("b.h5", "several arrays: one and two")):
            with pytest.raises(DataError, match=word):
                open_images(tmp_path / name, 8, kind="map", progress=False, workers=0)
