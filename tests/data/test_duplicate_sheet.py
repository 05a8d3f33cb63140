"""``check --sheet-of duplicates``: groups one below the other, largest first; nothing if there are none."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzfeld.cli import main
from ganzfeld.data import ImageDataset, open_images
from ganzfeld.data.check.duplicate_sheet import MOST_GROUPS, MOST_IN_A_GROUP, duplicate_sheet
from ganzfeld.data.check.duplicates import duplicates_of
from tests.data.making import encoded, fill, smooth


def copies(root: Path, counts: list[int]) -> Path:
    """A folder with so many copies of each of different images, and one image more."""
    fill(root, 1)
    for number, count in enumerate(counts):
        content = encoded(smooth(16, 16, seed=number))
        for copy in range(count):
            (root / f"{number:03}_{copy:02}.png").write_bytes(content)
    return root


def opened(root: Path, channels: int | None = None) -> ImageDataset:
    return open_images(root, (16, 16), channels=channels, workers=0)


def tiles_of(sheet: Image.Image, row: int, tile: int = 64) -> list[np.ndarray]:
    """The tiles of one panel at the size that they are trained on; 16 px are shown as 64."""
    pixels = np.asarray(sheet)
    is_panel = (pixels[:, 11] != 255).any(axis=1)
    tops = np.flatnonzero(is_panel & ~np.roll(is_panel, 1)) + 22
    lefts = [14 + column * (tile + 4) for column in range(MOST_IN_A_GROUP)]
    shown = [pixels[tops[row] : tops[row] + tile, left : left + tile] for left in lefts]
    return [each[::4, ::4] for each in shown if np.ptp(each[..., 0])]


@pytest.mark.parametrize("channels", [None, 1])
def test_the_largest_group_comes_first_and_every_group_has_a_panel(tmp_path: Path, channels: int | None):
    dataset = opened(copies(tmp_path, [2, 5, 3]), channels)
    drawn = duplicate_sheet(dataset, duplicates_of(dataset))
    assert (drawn.num_groups, drawn.num_left_out) == (3, 0)
    sizes = {1: 5, 2: 3, 0: 2}  # by the image that is copied
    for row, (number, size) in enumerate(sizes.items()):
        tiles = tiles_of(drawn.image, row)
        assert len(tiles) == size
        at = [dataset.listing.name(entry) for entry in range(11)].index(f"{number:03}_00.png")
        expected = np.broadcast_to(dataset.batch(np.array([at]))[0], (16, 16, 3))
        assert all(np.array_equal(tile, expected) for tile in tiles)


def test_an_image_before_is_left_out_of_the_count(tmp_path: Path):
    """Entries that are unusable have no pixels: the image shown is still the right one."""
    root = copies(tmp_path, [2])
    (root / "000_.png").write_bytes(b"no image")
    dataset = opened(root)
    tile = tiles_of(duplicate_sheet(dataset, duplicates_of(dataset)).image, 0)[0]
    assert np.array_equal(tile, smooth(16, 16, seed=0))


def test_different_files_are_shown_before_copies(tmp_path: Path):
    root = copies(tmp_path, [14])
    (root / "000_99.png").write_bytes(encoded(np.minimum(smooth(16, 16, seed=0), 250)))
    dataset = opened(root)
    (group,) = duplicates_of(dataset)
    assert len(group.entries) == 15 and not group.exact
    tiles = tiles_of(duplicate_sheet(dataset, [group]).image, 0)
    assert len(tiles) == MOST_IN_A_GROUP
    assert tiles[0].max() > 250 and tiles[1].max() <= 250 and tiles[2].max() > 250


def test_what_is_left_out_is_counted(tmp_path: Path):
    dataset = opened(copies(tmp_path, [2] * (MOST_GROUPS + 3)))
    drawn = duplicate_sheet(dataset, duplicates_of(dataset))
    assert (drawn.num_groups, drawn.num_left_out) == (MOST_GROUPS, 3)
    last_line = np.asarray(drawn.image)[-22:]
    assert last_line.min() < 128, "it is written below the panels"


@pytest.mark.parametrize("size", [(8, 8), (300, 20), (200, 200)])
def test_tiles_of_any_size_can_be_judged(tmp_path: Path, size: tuple[int, int]):
    dataset = open_images(copies(tmp_path, [2]), size, workers=0)
    image = duplicate_sheet(dataset, duplicates_of(dataset)).image
    assert 64 * MOST_IN_A_GROUP < image.width < 2000 and image.height < 200


class TestCommand:
    def call(
        self, capsys: pytest.CaptureFixture[str], *words: object, code: int = 0
    ) -> tuple[dict[str, Any], str]:
        """What ``check`` says as JSON, and to a person."""
        told = []
        for more in (["--json"], []):
            with pytest.raises(SystemExit) as ended:
                main(["check", *map(str, words), *more])
            assert (ended.value.code or 0) == code
            told.append(capsys.readouterr().out)
        return json.loads(told[0]), told[1]

    def test_a_sheet_of_duplicates(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        root, sheet = copies(tmp_path / "set", [2] * 26), tmp_path / "sheet.png"
        found, text = self.call(capsys, root, "--size", 8, "--sheet", sheet, "--sheet-of", "duplicates")
        assert found["sheet"] == {
            "of": "duplicates",
            "file": str(sheet),
            "groups": MOST_GROUPS,
            "groups_left_out": 2,
        }
        assert f"{sheet}: 24 groups of duplicates; 2 smaller ones left out" in text
        assert Image.open(io.BytesIO(sheet.read_bytes())).format == "PNG"

    def test_without_duplicates_nothing_is_written(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        root, sheet = fill(tmp_path / "set", 3), tmp_path / "sheet.png"
        found, text = self.call(capsys, root, "--sheet", sheet, "--sheet-of", "duplicates")
        assert found["sheet"] == {"of": "duplicates", "file": None, "groups": 0, "groups_left_out": 0}
        assert "not written: there are no duplicates to show" in text and not sheet.exists()

    def test_the_exit_code_is_as_without_a_sheet(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        root, sheet = tmp_path / "set", tmp_path / "sheet.png"
        root.mkdir()
        (root / "bad.png").write_bytes(b"no image")
        self.call(capsys, root, "--sheet", sheet, "--sheet-of", "duplicates", code=3)
        assert not sheet.exists()

    def test_sheets_of_images_are_as_before(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        root, sheet = fill(tmp_path / "set", 3), tmp_path / "sheet.png"
        found, text = self.call(capsys, root, "--sheet", sheet)
        assert found["sheet"] == {"of": "images", "file": str(sheet)} and str(sheet) in text

    @pytest.mark.parametrize(
        ("words", "message", "hint"),
        [
            (["--sheet", "x.png", "--sheet-of", "duplicate"], "unknown choice 'duplicate'", "duplicates?"),
            (["--sheet", "x.png", "--sheet-of", ""], "unknown choice ''", "Known: duplicates, images."),
            (["--sheet-of", "duplicates"], "needs a file", "--sheet FILE.png"),
        ],
    )
    def test_values_are_checked(
        self, capsys: pytest.CaptureFixture[str], words: list[str], message: str, hint: str
    ):
        with pytest.raises(SystemExit) as ended:
            main(["check", "nowhere", *words, "--json"])
        told = json.loads(capsys.readouterr().out)
        assert ended.value.code == 2 and message in told["error"] and hint in told["hint"]
