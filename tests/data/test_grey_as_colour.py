"""Grey that is stored as colour: counted, said, and trained as grey with ``channels=1``."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzfeld.data import open_images
from ganzfeld.data.check.survey import survey
from tests.data.making import encoded, noise, smooth
from tests.data.test_value_range import png_16


def greys(kind: str, seed: int) -> bytes:
    """A grey image stored as colour, in one of several ways."""
    grey = Image.fromarray(smooth(40, 40, seed)).convert("L")
    if kind == "palette":
        return encoded(grey.convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE))
    if kind == "RGBA":
        return encoded(grey.convert("RGBA"))
    if kind == "scanned JPEG":  # noise of a sensor in each channel, then the compression
        rgb = np.asarray(grey.convert("RGB")).astype(int) + np.random.default_rng(seed).integers(
            -2, 3, (40, 40, 3)
        )
        return encoded(rgb.clip(0, 255).astype(np.uint8), "JPEG", quality=90)
    return encoded(grey.convert("RGB"), kind, **({"quality": 60} if kind == "JPEG" else {}))


def told(path: Path, **options: Any) -> str:
    found = survey(open_images(path, (16, 16), workers=0, **options)).warnings
    return "".join(each.text for each in found if each.name == "grey-as-colour")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "palette", "RGBA", "scanned JPEG", "npy"])
def test_a_whole_set(tmp_path: Path, kind: str):
    path = tmp_path / "set.npy" if kind == "npy" else tmp_path
    if kind == "npy":
        np.save(path, np.repeat(noise(16, 16, 1)[None], 3, axis=3))
    for number in range(4 if kind != "npy" else 0):
        (tmp_path / f"{number}.png").write_bytes(greys(kind, number))
    assert told(path).startswith("All images are grey, stored as colour: --channels 1 trains on grey")
    assert told(path, channels=1) == ""
    assert open_images(path, (16, 16), workers=0, channels=1).channels == 1


def test_a_part_of_a_set(tmp_path: Path):
    for number in range(3):
        (tmp_path / f"grey {number}.png").write_bytes(greys("PNG", number))
        (tmp_path / f"colour {number}.png").write_bytes(encoded(smooth(40, 40, seed=number)))
    (tmp_path / "stored as grey.png").write_bytes(encoded(noise(16, 16, 1)))
    assert told(tmp_path).startswith("3 of 7 images are grey, stored as colour: some generated images")


def test_beside_what_is_stored_as_grey_all_is_grey(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(greys("PNG", 0))
    (tmp_path / "b.png").write_bytes(encoded(noise(16, 16, 1)))
    assert told(tmp_path).startswith("1 of 2 images are grey, stored as colour: --channels 1 trains on grey")


@pytest.mark.parametrize("how", ["floats", "washed out", "16-bit PNG", "16-bit PNG with opacity"])
def test_nothing_is_claimed_of_levels_that_are_too_few(tmp_path: Path, how: str):
    colours = np.stack([smooth(16, 16, seed=number) for number in range(4)])
    if how.startswith("16"):
        samples = colours.astype(np.uint16) * 16
        if "opacity" in how:
            samples = np.concatenate([samples, np.full((4, 16, 16, 1), 65_535, np.uint16)], axis=3)
        for number, each in enumerate(samples):
            (tmp_path / f"{number}.png").write_bytes(png_16(each))
        path = tmp_path
    else:
        path, low = tmp_path / "set.npy", 0.5 if how == "washed out" else 0
        np.save(path, (colours / 255 * 0.03 + low).astype(np.float32))
    assert told(path) == ""
    assert "grey" not in " ".join(
        each.text for each in survey(open_images(path, (16, 16), workers=0, range="auto")).warnings
    )


def test_what_cannot_be_told_is_said_to_be_so(tmp_path: Path):
    colours = np.stack([smooth(16, 16, seed=number) for number in range(4)])
    np.save(tmp_path / "set.npy", (colours / 255 * 0.003).astype(np.float32))
    warnings = survey(open_images(tmp_path / "set.npy", (16, 16), workers=0)).warnings
    assert any("too few levels to determine whether they are grey" in each.text for each in warnings)
    assert told(tmp_path / "set.npy") == ""


def test_blank_images_among_grey_are_grey(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(greys("PNG", 0))
    (tmp_path / "b.png").write_bytes(encoded(np.full((16, 16, 3), 255, np.uint8)))
    assert told(tmp_path).startswith("All images are grey")


@pytest.mark.parametrize("tone", [(40, 20, 0), (0, 12, 24)])
def test_toned_images_are_colour(tmp_path: Path, tone: tuple[int, int, int]):
    toned = np.asarray(Image.fromarray(smooth(40, 40)).convert("L"))[:, :, None] // 2 + np.array(
        tone, np.uint8
    )
    (tmp_path / "a.png").write_bytes(encoded(toned.astype(np.uint8)))
    assert told(tmp_path) == ""
