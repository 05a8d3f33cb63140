"""What to mind about a set of pictures. Advice never stops anything: it says what will show in the result."""

from dataclasses import dataclass

import numpy as np

from ganzfeld.data.duplicates import Group
from ganzfeld.data.pictures import Pictures

ENOUGH = 1_000
_MOST_LOSS = 0.25
_MOST_SPREAD = 1.5
_NOT_READ = {".heic", ".heif", ".jp2", ".svg", ".psd", ".raw", ".dng", ".cr2", ".nef", ".tga", ".exr", ".ico"}


@dataclass(frozen=True, slots=True)
class Advice:
    """Something that will show in the result; ``name`` is fixed, ``text`` is for people."""

    name: str
    text: str


def advice(
    pictures: Pictures, duplicates: list[Group], upscaled: int, kept: np.ndarray, aspects: np.ndarray
) -> list[Advice]:
    """Everything worth a word; ``kept`` and ``aspects`` (width by height) have one value a picture."""
    used = pictures.records[pictures.records["row"] >= 0]
    found = [
        *_about_number(pictures.num_pictures),
        *_about_duplicates(pictures.num_pictures, duplicates),
        *_about_shape(pictures, upscaled, kept, aspects),
    ]
    bad = pictures.manifest.num_entries - pictures.num_pictures
    if bad:
        found.append(
            Advice("unusable-pictures", f"{bad:,} of {pictures.manifest.num_entries:,} are left out.")
        )
    grey = int(used["grey"].sum())
    if pictures.channels == 3 and 0 < grey < pictures.num_pictures:
        text = f"{grey:,} of {pictures.num_pictures:,} pictures are grey: some of what is made will be, too."
        found.append(Advice("grey-among-colour", text))
    passed_over = sorted(_NOT_READ & set(pictures.manifest.ignored))
    if passed_over:
        count = sum(pictures.manifest.ignored[kind] for kind in passed_over)
        text = f"{count:,} files are in formats that are not read ({', '.join(passed_over)}): convert them."
        found.append(Advice("formats-not-read", text))
    return found


def _about_number(num_pictures: int) -> list[Advice]:
    if not 0 < num_pictures < ENOUGH:
        return []
    if num_pictures == 1:
        text = "A single picture: the generator can only learn to copy it."
    else:
        text = (
            f"Only {num_pictures} pictures: in a long run the discriminator learns them by heart. The stabiliser"
            " augmentation hinders that; it also slows learning, so a short run is better without."
        )
    return [Advice("too-few-pictures", text)]


def _about_duplicates(num_pictures: int, duplicates: list[Group]) -> list[Advice]:
    redundant = sum(len(group.entries) - 1 for group in duplicates)
    if not redundant:
        return []
    if redundant == num_pictures - 1:
        text = f"All {num_pictures:,} pictures are the same one."
    else:
        exact = sum(len(group.entries) - 1 for group in duplicates if group.exact)
        text = f"{redundant:,} pictures repeat others ({exact:,} as the same file) and weigh more."
    return [Advice("duplicate-pictures", text)]


def _about_shape(pictures: Pictures, upscaled: int, kept: np.ndarray, aspects: np.ndarray) -> list[Advice]:
    found = []
    width, height = pictures.size
    if upscaled:
        text = f"{upscaled:,} pictures are smaller than {width}x{height} px and are enlarged: soft."
        found.append(Advice("upscaled-pictures", text))
    if len(aspects):
        low, high = np.percentile(aspects, [5, 95])
        if high > _MOST_SPREAD * low:
            text = (
                f"The aspect (width by height) varies from {low:.2f} to {high:.2f}: the crop cuts unevenly."
            )
            found.append(Advice("varying-aspect", text))
        if kept.mean() < 1 - _MOST_LOSS:
            text = f"The centre crop throws away {1 - kept.mean():.0%} of the pixels; try another --size."
            found.append(Advice("cropped-pictures", text))
    return found
