"""Candidates of the hash are confirmed by comparing the images: copies remain, images of one kind do not."""

import importlib
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image, ImageChops, ImageOps

from ganzfeld.cli import main
from ganzfeld.data import ImageDataset, open_images
from ganzfeld.data.check.candidates import candidates
from ganzfeld.data.check.duplicates import RULE, duplicates_of, find_duplicates
from ganzfeld.data.check.same_image import block_means, local_means, loss_of_detail
from tests.data.coins import coins
from tests.data.making import encoded, noise, smooth

ROOT = Path(__file__).parents[2]
Draw = Callable[..., np.ndarray]


def in_light(image: Image.Image, factor: float, black: int = 0) -> Image.Image:
    """The image with other levels."""
    table = [min(255, round(black + factor * level)) for level in range(256)]
    return image.point(table * len(image.getbands()))


ALTERED: dict[str, Callable[[Image.Image], bytes]] = {
    "jpeg 50": lambda image: encoded(image, "JPEG", quality=50),
    "jpeg 90": lambda image: encoded(image, "JPEG", quality=90),
    "half": lambda image: encoded(image.resize((64, 64), Image.Resampling.LANCZOS)),
    "nine tenths": lambda image: encoded(image.resize((115, 115), Image.Resampling.BICUBIC)),
    "darker": lambda image: encoded(in_light(image, 0.9)),
    "brighter": lambda image: encoded(in_light(image, 1.1)),
}


@pytest.fixture(scope="module")
def solar_cells() -> Draw:
    sys.path.insert(0, str(ROOT / "tools"))
    draw = importlib.import_module("solar_cells").solar_cells
    sys.path.remove(str(ROOT / "tools"))
    return draw


def written(root: Path, contents: list[bytes], size: int = 64) -> ImageDataset:
    """A folder of files, decoded."""
    root.mkdir(exist_ok=True)
    for number, content in enumerate(contents):
        (root / f"{number:05}.img.png").write_bytes(content)
    return open_images(root, size, workers=0)


def groups(dataset: ImageDataset) -> list[tuple[int, ...]]:
    return [group.entries for group in find_duplicates(dataset)]


def loss(first: np.ndarray, second: np.ndarray, scale: float = 1.0) -> float:
    return float(loss_of_detail(first[None], second[None], np.array([scale]))[0])


class TestImagesOfOneKind:
    def test_different_cells_of_one_layout_are_no_duplicates(self, tmp_path: Path, solar_cells: Draw):
        """The hash and the brightness of 8x8 cells are alike for most of them."""
        np.save(tmp_path / "cells.npy", solar_cells(200, 64, seed=3))
        dataset = open_images(tmp_path / "cells.npy", 64, workers=0)
        assert sum(map(len, candidates(dataset, np.arange(200)))) > 200
        assert groups(dataset) == []

    def test_nor_are_cells_that_differ_only_in_their_grain(self, tmp_path: Path, solar_cells: Draw):
        cells = solar_cells(100, 128, seed=4, grain=2.0, defects=False)
        np.save(tmp_path / "cells.npy", cells)
        assert groups(open_images(tmp_path / "cells.npy", 64, workers=0)) == []

    def test_copies_among_them_are_found_and_nothing_else(self, tmp_path: Path, solar_cells: Draw):
        """Most have one hash: more images than neighbours are compared, and each copy in its own group."""
        cells = [Image.fromarray(cell[..., 0]) for cell in solar_cells(150, 128, seed=5)]
        copies = [alter(cells[7 * number]) for number, alter in enumerate(ALTERED.values())]
        dataset = written(tmp_path / "set", [*map(encoded, cells), *copies])
        assert groups(dataset) == [(7 * number, 150 + number) for number in range(len(ALTERED))]

    def test_check_says_nothing_of_them(
        self, tmp_path: Path, solar_cells: Draw, capsys: pytest.CaptureFixture[str]
    ):
        np.save(tmp_path / "cells.npy", solar_cells(40, 64, seed=6))
        with pytest.raises(SystemExit):
            main(["check", str(tmp_path / "cells.npy"), "--json"])
        found = json.loads(capsys.readouterr().out)
        assert found["duplicates"] == [] and found["num_redundant"] == 0
        assert "duplicate-pictures" not in [warning["name"] for warning in found["warnings"]]


class TestImagesThatDifferInOnePlace:
    """A number on a coin is a few pixels wide in a small image; all else is equal."""

    @pytest.mark.parametrize(("side", "size", "light"), [(32, 32, 0.0), (64, 32, 0.05), (28, 28, 0.05)])
    def test_coins_with_different_numbers_are_no_duplicates(
        self, tmp_path: Path, side: int, size: int, light: float
    ):
        dataset = written(tmp_path / "set", [encoded(one) for one in coins(36, side, 3, light)], size)
        assert sum(map(len, candidates(dataset, np.arange(36)))) > 300
        assert groups(dataset) == []

    def test_nor_are_they_as_jpeg(self, tmp_path: Path):
        contents = [encoded(one, "JPEG", quality=90) for one in coins(36, 64, 4)]
        assert groups(written(tmp_path / "set", contents, 32)) == []

    @pytest.mark.parametrize("how", ["brighter", "darker", "a few levels"])
    def test_copies_among_them_are_found(self, tmp_path: Path, how: str):
        drawn = coins(40, 64, 5)
        alter = ALTERED.get(how, lambda image: encoded(in_light(image, 1, black=5)))
        dataset = written(tmp_path / "set", [*map(encoded, drawn), alter(drawn[7])], 32)
        assert groups(dataset) == [(7, 40)]

    @pytest.mark.parametrize(
        "how", [ImageOps.mirror, ImageOps.flip, lambda one: ImageChops.offset(one, 2, 0)]
    )
    def test_a_flipped_or_shifted_copy_is_another_image(
        self, tmp_path: Path, how: Callable[..., Image.Image]
    ):
        """A network would not learn it twice."""
        photos = [Image.fromarray(smooth(64, 64, seed)) for seed in range(10)]
        dataset = written(tmp_path / "set", [*map(encoded, photos), encoded(how(photos[5]))])
        assert groups(dataset) == []


class TestCopies:
    @pytest.mark.parametrize("how", ALTERED)
    def test_of_a_coloured_image(self, tmp_path: Path, how: str):
        photos = [in_light(Image.fromarray(smooth(128, 128, seed)), 0.85, black=15) for seed in range(20)]
        dataset = written(tmp_path / "set", [*map(encoded, photos), ALTERED[how](photos[5])])
        assert groups(dataset) == [(5, 20)]

    def test_all_images_may_be_copies_of_one(self, tmp_path: Path, solar_cells: Draw):
        """What they have in common is then the image itself."""
        cell = Image.fromarray(solar_cells(1, 128, seed=7)[0, ..., 0])
        contents = [encoded(cell, "JPEG", quality=quality) for quality in range(50, 96)]
        assert groups(written(tmp_path / "set", contents)) == [tuple(range(46))]

    def test_a_changed_detail_of_an_altered_copy_is_another_image(self, solar_cells: Draw):
        cell = solar_cells(1, 64, seed=8)[0]
        changed = cell.copy()
        changed[20:24, 30:34] -= 40
        assert loss(cell, np.minimum(cell, 250)) <= 1 < loss(cell, changed)

    def test_another_colour_is_another_image(self):
        """Even where the detail is large."""
        image = smooth(64, 64, seed=1)
        red = np.clip(image + np.array([25, -10, 0]), 0, 255).astype(np.uint8)
        assert loss(image, red) > 1

    def test_a_file_that_was_scaled_down_more_may_differ_less(self, solar_cells: Draw):
        """Its loss of detail has averaged out, so the same difference is another image."""
        cell = Image.fromarray(solar_cells(1, 64, seed=9)[0, ..., 0])
        lossy = np.asarray(Image.open(io.BytesIO(encoded(cell, "JPEG", quality=50))))[..., None]
        original = np.asarray(cell)[..., None]
        assert loss(original, lossy, scale=1) <= 1 < loss(original, lossy, scale=8)


class TestStoredResults:
    def test_of_an_older_rule_are_replaced(self, tmp_path: Path, solar_cells: Draw):
        """A set that is in the cache already is used as it is, and only its duplicates are found again."""
        np.save(tmp_path / "cells.npy", solar_cells(20, 64, seed=10))
        dataset = open_images(tmp_path / "cells.npy", 64, workers=0)
        stored = dataset.folder / "duplicates.json"
        stored.write_text(json.dumps([[False, list(range(20))]]))
        assert duplicates_of(dataset) == []
        assert json.loads(stored.read_text())["groups"] == []

    @pytest.mark.parametrize(
        "content", ["", "[]", "{}", "null", f'{{"rule": {RULE}, "groups": [[1]]}}', '{"rule": 1}']
    )
    def test_that_are_damaged_are_replaced(self, tmp_path: Path, content: str):
        np.save(tmp_path / "a.npy", np.stack([noise(16, 16, seed=seed % 3) for seed in range(4)]))
        dataset = open_images(tmp_path / "a.npy", 16, workers=0)
        (dataset.folder / "duplicates.json").write_text(content)
        assert [group.entries for group in duplicates_of(dataset)] == [(0, 3)]
        assert duplicates_of(dataset) == find_duplicates(dataset)


class TestCandidates:
    def test_equal_pixels_of_one_hash_are_candidates_however_many_there_are(self, tmp_path: Path):
        """Blank images with one bright pixel have one hash, and are sorted by what distinguishes them."""
        images = np.full((300, 32, 32, 1), 100, np.uint8)
        places = np.random.default_rng(0).integers(0, 32, (150, 2))
        for number in range(300):
            images[number, *places[number % 150]] = 160
        np.save(tmp_path / "a.npy", images)
        pairs = np.concatenate(candidates(open_images(tmp_path / "a.npy", 32, workers=0), np.arange(300)))
        assert {(number, number + 150) for number in range(150)} <= set(map(tuple, pairs.tolist()))

    def test_each_pair_once_and_only_among_the_images_asked_for(self, tmp_path: Path, solar_cells: Draw):
        np.save(tmp_path / "a.npy", solar_cells(120, 64, seed=11))
        among = np.arange(1, 120, 2)
        lists = candidates(open_images(tmp_path / "a.npy", 64, workers=0), among)
        assert len(np.concatenate(lists))
        for pairs in lists:
            assert set(pairs.flat) <= set(among.tolist()) and (pairs[:, 0] < pairs[:, 1]).all()
            assert len(np.unique(pairs, axis=0)) == len(pairs)

    @pytest.mark.parametrize("number", [0, 1, 2, 33])
    def test_few_images(self, tmp_path: Path, number: int):
        np.save(tmp_path / "a.npy", np.full((40, 8, 8), 9, np.uint8))
        pairs = np.concatenate(candidates(open_images(tmp_path / "a.npy", 8, workers=0), np.arange(number)))
        assert bool(len(pairs)) == (number > 1)


SIDES = st.integers(4, 40)


class TestLoss:
    @settings(max_examples=40)
    @given(SIDES, SIDES, st.sampled_from([1, 3]), st.integers(0, 99), st.floats(0.1, 30))
    def test_an_image_equals_itself_at_any_size(
        self, height: int, width: int, channels: int, seed: int, scale: float
    ):
        image = noise(height, width, channels, seed)
        assert loss(image, image, scale) == 0

    @settings(max_examples=40)
    @given(SIDES, SIDES, st.sampled_from([1, 3]), st.integers(0, 99))
    def test_the_order_does_not_matter(self, height: int, width: int, channels: int, seed: int):
        image = smooth(height, width, seed)[..., :channels]
        other = np.clip(image.astype(int) + noise(height, width, channels, seed + 1) % 5, 0, 255).astype(
            np.uint8
        )
        assert loss(image, other) == pytest.approx(loss(other, image), rel=1e-3)

    @settings(max_examples=40)
    @given(st.integers(16, 40), st.sampled_from([1, 3]), st.integers(0, 99), st.floats(0.1, 30))
    def test_independent_images_are_different(self, side: int, channels: int, seed: int, scale: float):
        first, second = (smooth(side, side, number)[..., :channels] for number in (seed, seed + 100))
        assert loss(first, second, scale) > 1

    @settings(max_examples=40)
    @given(arrays(np.uint8, array_shapes(min_dims=4, max_dims=4, min_side=3, max_side=9)), st.data())
    def test_block_means(self, images: np.ndarray, data: st.DataObject):
        rows, columns = (data.draw(st.integers(1, side)) for side in images.shape[1:3])
        means = block_means(images, rows, columns)
        tops, lefts = (
            [at * side // parts for at in range(parts + 1)]
            for side, parts in zip(images.shape[1:3], (rows, columns), strict=True)
        )
        for row in range(rows):
            for column in range(columns):
                block = images[:, tops[row] : tops[row + 1], lefts[column] : lefts[column + 1]]
                assert np.allclose(means[:, row, column], block.mean(axis=(1, 2)), atol=1e-3)

    @settings(max_examples=20)
    @given(arrays(np.uint8, array_shapes(min_dims=4, max_dims=4, min_side=2, max_side=6)))
    def test_local_means(self, images: np.ndarray):
        values = images.astype(np.float32)
        padded = np.pad(values, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
        assert np.allclose(local_means(values), windows.mean(axis=(-1, -2)), atol=1e-3)
