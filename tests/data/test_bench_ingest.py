from pathlib import Path

import pytest
from PIL import Image

from ganzfeld.bench.ingest import IngestFigures, bench_ingest
from ganzfeld.bench.page import write_section
from ganzfeld.bench.photos import make_photos


def test_the_photos_are_as_large_as_photos(tmp_path: Path):
    mean_bytes = make_photos(tmp_path, 13)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 13 and 150_000 < mean_bytes < 300_000
    with Image.open(files[12]) as image:
        assert image.size == (1600, 1200) and image.format == "JPEG"
    assert files[12].read_bytes() == files[0].read_bytes() != files[1].read_bytes()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # torch's loader beside our tests' threads
def test_it_measures_both_sides():
    figures = bench_ingest(num_photos=2, rounds=1, recognise=3).as_json()
    assert figures["share_of_peak"] is None and figures["recognised_files"] == 3
    for name in ("plain_images_per_s", "ours_images_per_s", "ratio", "cached_images_per_s", "photo_bytes"):
        value = figures[name]
        assert value is not None and value > 0, name


def test_the_ratio_is_ours_over_plain():
    assert IngestFigures(1, 1, 1, 2, 50.0, 400.0, 1.0, 0, None).ratio == 8


def test_a_section_of_the_page_is_replaced_and_others_stay(tmp_path: Path):
    page = tmp_path / "page.md"
    for value in ("1", "2"):
        write_section(page, "Ingest", "bench ingest", {"speed": value})
        write_section(page, "Train", "bench train", {"speed": value * 2})
    text = page.read_text()
    assert text.count("## Ingest") == text.count("## Train") == 1
    assert "| speed | 2 |" in text and "| speed | 22 |" in text and "| speed | 1 |" not in text
