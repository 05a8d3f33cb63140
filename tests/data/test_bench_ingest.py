import os
from pathlib import Path

import pytest
from PIL import Image
from torch.utils.data import Dataset, get_worker_info

from ganzfeld.bench.ingest import FileSpeeds, IngestFigures, bench_ingest
from ganzfeld.bench.loaders import DraftFolder, even_batches, loader
from ganzfeld.bench.page import write_section
from ganzfeld.bench.photos import make_photos
from ganzfeld.system import num_cores

pytestmark = pytest.mark.machine


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
    names = ["plain_images_per_s", "ours_images_per_s", "ratio", "cached_images_per_s", "photo_bytes"]
    for name in (*names, "limit_images_per_s", "limit_ratio", "share_of_limit"):
        assert figures[name] > 0, name
    sizes = [each["photo_bytes"] for each in figures["limits"]]
    assert sizes[0] == figures["photo_bytes"] and 1.5 * sizes[1] < sizes[0] < sizes[2] / 1.5


def test_ratios_are_over_plain_and_the_share_is_of_the_limit():
    figures = IngestFigures(1, 1, 1, 2, 400.0, 1.0, FileSpeeds(1, 50.0, 500.0), (), 0, None)
    assert (figures.ratio, figures.limit.ratio, figures.share_of_limit) == (8, 10, 0.8)


class _Who(Dataset[int]):
    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> int:
        told = get_worker_info()
        assert told is not None
        return told.id


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("num_files", [2, 33, 64, 192, 200])
def test_every_process_of_a_loader_gets_as_many_files(num_files: int):
    files = [Path(str(number)) for number in range(num_files)]
    some, batch = even_batches(files, 2)
    assert some == files[: len(some)] and len(files) - len(some) < 32
    who = [int(each) for batch in loader(_Who(len(some)), batch, 2) for each in batch]
    assert who.count(0) == who.count(1) == len(some) // 2


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cores are counted in another way here")
@pytest.mark.parametrize("number", [1, 16])
def test_however_many_cores_there_are_nothing_is_warned_of(number: int, monkeypatch: pytest.MonkeyPatch):
    """Avoid a warning of torch for more processes than cores; warnings are errors here."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(number)))
    assert num_cores() == number
    for num_processes in (2, num_cores()):
        some, batch = even_batches([Path(str(number)) for number in range(3)], num_processes)
        assert sum(len(each) for each in loader(_Who(len(some)), batch, num_processes)) == len(some)


def test_the_limit_finds_what_is_truncated(tmp_path: Path):
    """Detect truncated files, or the limit would not hold for our reader."""
    make_photos(tmp_path, 1)
    (whole,) = tmp_path.iterdir()
    assert DraftFolder([whole])[0] == 0
    whole.write_bytes(whole.read_bytes()[:-2000])
    with pytest.raises(OSError, match="truncated"):
        DraftFolder([whole])[0]


def test_a_section_of_the_page_is_replaced_and_others_stay(tmp_path: Path):
    page = tmp_path / "page.md"
    for value in ("1", "2"):
        write_section(page, "Ingest", "bench ingest", {"speed": value})
        write_section(page, "Train", "bench train", {"speed": value * 2})
    text = page.read_text()
    assert text.count("## Ingest") == text.count("## Train") == 1
    assert "| speed | 2 |" in text and "| speed | 22 |" in text and "| speed | 1 |" not in text
