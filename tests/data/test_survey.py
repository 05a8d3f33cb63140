import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganzfeld.data import open_images
from ganzfeld.data.check.contact_sheet import contact_sheet, write_contact_sheet
from ganzfeld.data.check.duplicates import find_duplicates
from ganzfeld.data.check.survey import Survey, survey
from ganzfeld.data.images import ImageDataset
from ganzfeld.errors import DataError, ResourceError
from tests.data.making import encoded, fill, noise, smooth


def opened(path: Path, size: tuple[int, int] = (32, 32)) -> ImageDataset:
    return open_images(path, size, workers=0, max_bad=None)


def advice(found: Survey) -> dict[str, str]:
    return {each.name: each.text for each in found.warnings}


@pytest.fixture
def photos(tmp_path: Path) -> list[Image.Image]:
    """Forty unlike images of 96x64."""
    return [Image.fromarray(smooth(64, 96, seed=seed)) for seed in range(40)]


def save(root: Path, photos: list[Image.Image]) -> None:
    for number, photo in enumerate(photos):
        (root / f"{number:03}.png").write_bytes(encoded(photo))


def groups(dataset: ImageDataset) -> dict[tuple[str, ...], bool]:
    """Names of the members of every group, and whether the files are the same."""
    found = find_duplicates(dataset)
    return {tuple(dataset.listing.name(entry) for entry in group.entries): group.exact for group in found}


class TestDuplicates:
    def test_none_among_different_images(self, tmp_path: Path, photos: list[Image.Image]):
        save(tmp_path, photos)
        assert groups(opened(tmp_path)) == {}

    def test_the_same_file_under_two_names(self, tmp_path: Path, photos: list[Image.Image]):
        save(tmp_path, photos)
        (tmp_path / "copy.png").write_bytes((tmp_path / "007.png").read_bytes())
        assert groups(opened(tmp_path)) == {("007.png", "copy.png"): True}

    @pytest.mark.parametrize("how", ["another format", "another quality", "another size", "other levels"])
    def test_what_is_nearly_the_same(self, tmp_path: Path, photos: list[Image.Image], how: str):
        save(tmp_path, photos)
        photo = photos[7]
        content = {
            "another format": lambda: encoded(photo, "BMP"),
            "another quality": lambda: encoded(photo, "JPEG", quality=60),
            "another size": lambda: encoded(photo.resize((60, 40), Image.Resampling.LANCZOS)),
            "other levels": lambda: encoded(Image.fromarray((np.asarray(photo) * 0.94 + 6).astype(np.uint8))),
        }[how]()
        (tmp_path / "copy.jpg").write_bytes(content)
        assert groups(opened(tmp_path)) == {("007.png", "copy.jpg"): False}

    def test_a_changed_detail_is_another_image(self, tmp_path: Path, photos: list[Image.Image]):
        save(tmp_path, photos[:5])
        changed = photos[2].copy()
        changed.paste((0, 0, 0), (40, 30, 48, 38))
        (tmp_path / "changed.png").write_bytes(encoded(changed))
        assert groups(opened(tmp_path)) == {}

    def test_another_colour_is_another_image(self, tmp_path: Path):
        """Even of the same brightness, which is all that the hash sees."""
        (tmp_path / "red.png").write_bytes(encoded(Image.new("RGB", (32, 32), (150, 0, 0))))
        (tmp_path / "green.png").write_bytes(encoded(Image.new("RGB", (32, 32), (0, 76, 0))))
        assert groups(opened(tmp_path)) == {}

    def test_chains_and_copies_are_one_group(self, tmp_path: Path, photos: list[Image.Image]):
        save(tmp_path, photos)
        for number in range(100):
            (tmp_path / f"copy{number:03}.png").write_bytes((tmp_path / "007.png").read_bytes())
        (tmp_path / "near.jpg").write_bytes(encoded(photos[7], "JPEG", quality=70))
        found = groups(opened(tmp_path))
        assert [len(names) for names in found] == [102] and list(found.values()) == [False]

    def test_many_unlike_images_of_one_hash(self, tmp_path: Path):
        """Flat images all have the hash 0: more of them than any window, and none of them alike."""
        colours = np.stack(np.meshgrid(*[np.arange(0, 256, 50)] * 3), -1).reshape(-1, 1, 1, 3)
        stack = np.broadcast_to(colours, (len(colours), 8, 8, 3)).astype(np.uint8)
        assert len(stack) == 216
        np.save(tmp_path / "a.npy", stack)
        assert groups(open_images(tmp_path / "a.npy", (8, 8), workers=0)) == {}


class TestSurvey:
    def test_counts(self, tmp_path: Path):
        fill(tmp_path / "a", 3, side=40)
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "grey.jpg").write_bytes(encoded(noise(20, 60, 1), "JPEG"))
        (tmp_path / "b" / "bad.png").write_bytes(b"no image")
        found = survey(opened(tmp_path))
        assert found.formats == {"PNG": 3, "JPEG": 1}
        assert found.modes == {"RGB": 3, "L": 1}
        assert found.sizes == {"40x40": 3, "60x20": 1}
        assert (found.smallest, found.median, found.largest) == ((60, 20), (40, 40), (40, 40))
        assert found.classes == {"a": 3, "b": 1}
        assert found.usable == 4 and [Path(each.path).name for each in found.unusable] == ["bad.png"]
        assert found.upscaled == 1
        assert found.kept_pixels == pytest.approx((3 * 1 + 20 * 20 / (60 * 20)) / 4)

    def test_the_contract_of_the_json(self, tmp_path: Path):
        fill(tmp_path, 2)
        (tmp_path / "bad.png").write_bytes(b"no image")
        plain = survey(opened(tmp_path)).as_json()
        assert plain["usable"] == 2
        assert [sorted(each) for each in plain["unusable"]] == [["path", "reason"]]
        assert plain["unusable"][0]["path"] == str(tmp_path / "bad.png")
        assert plain["duplicates"] == [] and plain["size"] == [32, 32] and plain["channels"] == 3

    def test_a_set_without_a_usable_image(self, tmp_path: Path):
        (tmp_path / "bad.png").write_bytes(b"no image")
        found = survey(opened(tmp_path))
        assert found.usable == 0 and len(found.unusable) == 1

    def test_it_is_worked_out_once(self, tmp_path: Path):
        fill(tmp_path, 2)
        (tmp_path / "copy.png").write_bytes((tmp_path / "00000.png").read_bytes())
        dataset = opened(tmp_path)
        first = survey(dataset)
        assert survey(opened(tmp_path)).duplicates == first.duplicates
        assert (dataset.folder / "duplicates.json").exists()


class TestAdvice:
    def test_nothing_to_say(self, tmp_path: Path):
        stack = np.random.default_rng(0).integers(0, 256, (1000, 8, 8, 3), dtype=np.uint8)
        np.save(tmp_path / "a.npy", stack)
        assert advice(survey(open_images(tmp_path / "a.npy", (8, 8), workers=0))) == {}

    def test_few(self, tmp_path: Path):
        told = advice(survey(opened(fill(tmp_path, 70))))["too-few-pictures"]
        assert "70 images" in told and "augmentation" in told

    def test_grey_among_colour(self, tmp_path: Path):
        fill(tmp_path, 3)
        assert "grey-among-colour" not in advice(survey(opened(tmp_path)))
        Image.new("L", (80, 80), 90).save(tmp_path / "grey.png")
        assert "1 of 4 images are grey" in advice(survey(opened(tmp_path)))["grey-among-colour"]

    def test_upscaled(self, tmp_path: Path):
        assert (
            "Smaller than 32x32 px, and blurred when enlarged: 3 images."
            in advice(survey(opened(fill(tmp_path, 3, side=20))))["upscaled-pictures"]
        )

    def test_varying_aspect(self, tmp_path: Path):
        for number in range(10):
            (tmp_path / f"{number}.png").write_bytes(encoded(noise(40 + 10 * number, 100, seed=number)))
        found = advice(survey(opened(tmp_path)))
        assert "varying-aspect" in found and "cropped-pictures" in found

    def test_formats_that_are_not_read(self, tmp_path: Path):
        fill(tmp_path, 2)
        (tmp_path / "photo.HEIC").write_bytes(b"")
        assert "1 file (.heic)" in advice(survey(opened(tmp_path)))["formats-not-read"]


class TestContactSheet:
    def test_shows_what_is_trained_on(self, tmp_path: Path):
        for number, colour in enumerate(["red", "green", "blue", "black"]):
            (tmp_path / f"{number}.png").write_bytes(encoded(Image.new("RGB", (50, 50), colour)))
        sheet = np.asarray(contact_sheet(opened(tmp_path)))
        assert sheet.shape == (2 * 34 + 2, 2 * 34 + 2, 3)
        corners = [sheet[row, column].tolist() for row in (10, 50) for column in (10, 50)]
        assert corners == [[255, 0, 0], [0, 128, 0], [0, 0, 255], [0, 0, 0]]

    def test_of_many_it_shows_64(self, tmp_path: Path):
        np.save(tmp_path / "a.npy", np.zeros((500, 16, 16), np.uint8))
        sheet = contact_sheet(open_images(tmp_path / "a.npy", (16, 16), workers=0))
        assert sheet.size == (8 * 18 + 2, 8 * 18 + 2)

    def test_is_written_as_png(self, tmp_path: Path):
        dataset = opened(fill(tmp_path / "set", 2))
        write_contact_sheet(dataset, tmp_path / "sheet.png")
        with Image.open(io.BytesIO((tmp_path / "sheet.png").read_bytes())) as image:
            assert image.format == "PNG"
        with pytest.raises(ResourceError):
            write_contact_sheet(dataset, tmp_path / "missing" / "sheet.png")

    def test_of_nothing(self, tmp_path: Path):
        (tmp_path / "bad.png").write_bytes(b"no image")
        with pytest.raises(DataError):
            contact_sheet(opened(tmp_path))
