"""Bytes that nobody meant as images: refused with a reason, and never anything worse."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganzfeld.data import open_images
from ganzfeld.data.decoding.decode import UnusableImage, decode_file
from ganzfeld.data.decoding.preprocessing import Preprocessing
from tests.data.fuzz_readers import ENDINGS, mutated, one_input, read_all, seeds
from tests.data.making import encoded, noise

STARTS = [
    b"",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0",
    b"GIF89a",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"P6\n8 8\n255\n",
]
STARTS += [b"RIFF\x40\0\0\0WEBPVP8L", b"\0\0\0\x1cftypavif", b"P5 9 9 65535 ", b"PF 9 9 -1.0 "]


@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=300))
def test_random_bytes_are_refused_or_decoded(start: bytes, rest: bytes):
    try:
        assert decode_file(start + rest, Preprocessing(8, 8)).pixels.shape[:2] == (8, 8)
    except UnusableImage as refused:
        assert str(refused) and "\n" not in str(refused)


@given(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"]), st.integers(0, 10**9))
@settings(max_examples=200)
def test_damaged_images_are_refused_or_decoded(format: str, number: int):
    chance = random.Random(number)
    damaged = mutated(b"\0" + encoded(noise(12, 12), format), chance)[1:]
    try:
        assert decode_file(damaged, Preprocessing(8, 8)).pixels.shape[:2] == (8, 8)
    except UnusableImage as refused:
        assert str(refused)


@given(files=st.lists(st.binary(max_size=60), min_size=1, max_size=8))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_folder_of_anything_is_counted_to_the_last_file(files: list[bytes], tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    for number, content in enumerate(files):
        (folder / f"{number}.png").write_bytes(content)
    dataset = open_images(folder, (8, 8), max_bad=None, workers=0)
    assert dataset.num_pictures + len(dataset.unusable) == len(files)


@pytest.mark.parametrize("number", range(len(ENDINGS)), ids=lambda number: ENDINGS[number].strip("/.-"))
class TestReaders:
    def test_the_seed_is_read(self, tmp_path: Path, number: int):
        """Or the mutations of it would test nothing."""
        path = tmp_path / f"input{ENDINGS[number]}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(seeds()[number][1:])
        assert read_all(path if path.parent == tmp_path else path.parent) > 0

    def test_damaged_files_are_refused_or_read(self, tmp_path: Path, number: int):
        seed = seeds()[number]
        for turn in range(150):
            one_input(seed[:1] + mutated(seed, random.Random(turn))[1:], tmp_path)

    def test_cut_files_are_refused_or_read(self, tmp_path: Path, number: int):
        seed = seeds()[number]
        for length in range(1, len(seed), max(1, len(seed) // 40)):
            one_input(seed[:length], tmp_path)
