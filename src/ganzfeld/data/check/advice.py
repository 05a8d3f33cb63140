"""Warn about problems of a dataset that will show in the results. Advice never stops a command."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganzfeld.data.check.duplicates import Group
from ganzfeld.data.check.split_folders import SplitFolders, split_folders
from ganzfeld.data.check.value_advice import advice_on_values
from ganzfeld.data.file_list import Names
from ganzfeld.data.images import ImageDataset
from ganzfeld.data.record import has_levels_to_tell, seems_grey
from ganzfeld.option_values import ALL_FRAMES, FIRST_FRAME
from ganzfeld.printable import counted, in_shell, listed, visible

ENOUGH = 1_000
_MOST_LOSS = 0.25
_MOST_SPREAD = 1.5
_NOT_READ = {".heic", ".heif", ".jp2", ".svg", ".psd", ".raw", ".dng", ".cr2", ".nef", ".tga", ".exr", ".ico"}


@dataclass(frozen=True, slots=True)
class Advice:
    """A warning about a dataset; ``name`` never changes, ``text`` is for people."""

    name: str
    text: str


def advice(
    dataset: ImageDataset, duplicates: list[Group], upscaled: int, cropped: np.ndarray, aspects: np.ndarray
) -> list[Advice]:
    """Return all advice on a dataset.

    ``upscaled`` is the number of enlarged images. Per image, ``cropped`` is the share of its pixels that the
    crop keeps, and ``aspects`` its width divided by its height.
    """
    used = dataset.records[dataset.records["row"] >= 0]
    values = _advise_on_values(used, dataset)
    findings = [
        *_advise_on_number(dataset.num_pictures),
        *values,
        *_advise_on_transparent(used),
        *_advise_on_duplicates(dataset, duplicates, crushed=bool(values)),
        *_advise_on_shape(dataset, upscaled, cropped, aspects),
        *_advise_on_frames(used, dataset.framing.frames),
        *_advise_on_hidden(used),
        *_advise_on_parts(dataset),
        *_advise_on_labels(dataset),
    ]
    bad = dataset.manifest.num_entries - dataset.num_pictures
    if bad:
        findings.append(
            Advice(
                "unusable-pictures",
                f"{counted(dataset.manifest.num_entries, 'image')} found, {bad:,} left out.",
            )
        )
    findings += [*_advise_on_fourth_channel(used), *(_advise_on_grey(used) if dataset.channels == 3 else [])]
    unread = sorted(_NOT_READ & set(dataset.manifest.ignored))
    if unread:
        count = sum(dataset.manifest.ignored[kind] for kind in unread)
        text = (
            f"Not read because of their format: {counted(count, 'file')} ({', '.join(unread)}). Convert them."
        )
        findings.append(Advice("formats-not-read", text))
    return findings


def advice_on_reading(dataset: ImageDataset) -> list[Advice]:
    """Return the advice on how the images were read, for datasets that are not trained on."""
    used = dataset.records[dataset.records["row"] >= 0]
    return [
        *_advise_on_values(used, dataset),
        *_advise_on_frames(used, dataset.framing.frames),
        *_advise_on_hidden(used),
        *_advise_on_parts(dataset),
        *_advise_on_fourth_channel(used),
        *(_advise_on_grey_read_as_colour(used) if dataset.channels == 3 else []),
        *_advise_on_labels(dataset),
    ]


def notes_beside_advice(dataset: ImageDataset) -> list[str]:
    """Return the notes on a dataset that the advice ``labels-rejected`` does not repeat."""
    return [note for note in dataset.notes if note not in dataset.manifest.label_problems]


def _advise_on_values(used: np.ndarray, dataset: ImageDataset) -> list[Advice]:
    values = advice_on_values(used[~used["clear"]], dataset.range)
    if values and dataset.channels == 3 and _may_be_grey(used):
        values.append("They have too few levels to determine whether they are grey.")
    return [Advice("value-range", " ".join(values))] if values else []


def _advise_on_number(num_pictures: int) -> list[Advice]:
    if not 0 < num_pictures < ENOUGH:
        return []
    if num_pictures == 1:
        text = "A single image: the generator can only learn to copy it."
    else:
        text = (
            f"Only {num_pictures} images: a long run may memorise them. Add images. If you cannot, shift "
            "them (--set crop=0.125), mirror them (--set mirror=true) if left and right mean the same, and "
            "end the run early. The stabiliser augmentation also works against memorisation, but made short "
            "runs worse."
        )
    return [Advice("too-few-pictures", text)]


def _advise_on_duplicates(dataset: ImageDataset, duplicates: list[Group], *, crushed: bool) -> list[Advice]:
    redundant = sum(len(group.entries) - 1 for group in duplicates)
    if not redundant:
        return []
    if redundant == dataset.num_pictures - 1:
        text = f"All {dataset.num_pictures:,} images are the same."
    else:
        same = sum(len(group.entries) - _num_files(dataset, group) for group in duplicates)
        which = f" ({same:,} as the same file)" if same else ""
        text = f"Repeated, and so weighted more in training: {counted(redundant, 'image')}{which}."
    if crushed and not all(group.exact for group in duplicates):
        text += " The range of values may have made different images alike."
    return [Advice("duplicate-pictures", text)]


def _advise_on_fourth_channel(used: np.ndarray) -> list[Advice]:
    """Advise on a fourth channel of unknown meaning: near infrared, depth, a mask or opacity."""
    over, left_out = (used["assumed"] == what for what in (b"over", b"none"))
    parts = []
    if over.any():
        parts.append(
            f"{counted(int(over.sum()), 'image')} with a fourth channel whose meaning the file does not "
            "give: it was read as opacity over --background. If it is not opacity (but infrared or depth), "
            "leave it out with --alpha none; --alpha over confirms that it is."
        )
    if left_out.any():
        parts.append(
            f"{counted(int(left_out.sum()), 'image')} with a fourth channel of unspecified meaning: it was "
            "left out. --alpha over reads it as opacity; --alpha none confirms that it is left out."
        )
    return [Advice("alpha-assumed", " ".join(parts))] if parts else []


def _advise_on_frames(used: np.ndarray, wanted: str) -> list[Advice]:
    """Advise on frames of animations and stacks that are not read."""
    numbers = used["frames"][used["frames"] > 1].astype(np.int64)
    if wanted == ALL_FRAMES or not len(numbers):
        return []
    read = np.minimum(numbers, 1 if wanted == FIRST_FRAME else int(wanted))  # every frame read is an entry
    unread, files = round(float(((numbers - read) / read).sum())), round(float((1 / read).sum()))
    if not unread:
        return []
    which = "the first is" if wanted == FIRST_FRAME else f"{wanted} evenly spaced frames of each are"
    text = (
        f"{counted(files, 'file')} with several frames: {which} read, and {unread:,} are not. "
        "--frames all reads all frames, --frames N reads N evenly spaced frames of each file."
    )
    return [Advice("unread-frames", text)]


def _advise_on_hidden(used: np.ndarray) -> list[Advice]:
    """Advise on further images in a file that are not frames."""
    numbers = used["hidden"][used["hidden"] > 0].astype(np.int64)
    if not len(numbers):
        return []
    text = (
        f"{counted(len(numbers), 'file')} with further images after the first (MPO: the other view of a "
        f"stereo camera, a preview, a depth map): the first is read, and {numbers.sum():,} are not. "
        "Save them as separate files to train on them."
    )
    return [Advice("unread-images", text)]


def _advise_on_transparent(used: np.ndarray) -> list[Advice]:
    """Advise on images that are fully transparent."""
    clear = used[used["clear"]]
    if not len(clear):
        return []
    which = "All images are" if len(clear) == len(used) else f"{len(clear):,} of {len(used):,} images are"
    text = f"{which} fully transparent: they show only --background."
    if not (clear["most"] == clear["least"]).all():
        text += " --alpha none shows the colours beneath."
    return [Advice("transparent-images", text)]


def _may_be_grey(used: np.ndarray) -> bool:
    """Return whether all colour images may be grey but have too few levels to decide."""
    colour = used[~used["grey"]]
    return bool(len(colour)) and bool((seems_grey(colour) & ~has_levels_to_tell(colour)).all())


def _advise_on_grey(used: np.ndarray) -> list[Advice]:
    """Advise on grey images in a dataset that is trained on in colour, stored as grey or as colour."""
    stored, hidden = _num_grey(used)
    findings = []
    if 0 < stored < len(used):
        text = f"{stored:,} of {len(used):,} images are grey, so some generated images will be grey too."
        findings.append(Advice("grey-among-colour", text))
    if hidden:
        which = "All images are" if hidden == len(used) else f"{hidden:,} of {len(used):,} images are"
        consequence = (
            "--channels 1 trains on grey, in a third of the memory."
            if hidden + stored == len(used)
            else "some generated images will be grey too; --channels 1 makes all images grey."
        )
        findings.append(Advice("grey-as-colour", f"{which} grey, stored as colour: {consequence}"))
    return findings


def _advise_on_grey_read_as_colour(used: np.ndarray) -> list[Advice]:
    """Advise on grey images in a dataset that is not trained on, without the options of training."""
    grey = sum(_num_grey(used))
    which = "All images are" if grey == len(used) else f"{grey:,} of {len(used):,} images are"
    return [Advice("grey-as-colour", f"{which} grey, and read as colour.")] if grey else []


def _num_grey(used: np.ndarray) -> tuple[int, int]:
    """Return how many images are stored as grey, and how many others are grey but stored as colour."""
    hidden = ~used["grey"] & seems_grey(used) & has_levels_to_tell(used)
    return int(used["grey"].sum()), int(hidden.sum())


def _num_files(dataset: ImageDataset, group: Group) -> int:
    """Return how many different files a group consists of."""
    return 1 if group.exact else len(np.unique(dataset.records["sha256"][list(group.entries)], axis=0))


def _advise_on_shape(
    dataset: ImageDataset, upscaled: int, cropped: np.ndarray, aspects: np.ndarray
) -> list[Advice]:
    findings = []
    width, height = dataset.size
    if upscaled:
        text = f"Smaller than {width}x{height} px, and blurred when enlarged: {counted(upscaled, 'image')}."
        findings.append(Advice("upscaled-pictures", text))
    if len(aspects):
        low, high = np.percentile(aspects, [5, 95])
        if high > _MOST_SPREAD * low:
            text = (
                f"The shapes differ: nine tenths have an aspect ratio (width by height) from {low:.2f} to "
                f"{high:.2f}. The crop removes more from some images than from others."
            )
            findings.append(Advice("varying-aspect", text))
        if cropped.mean() < 1 - _MOST_LOSS:
            text = f"The centre crop removes {1 - cropped.mean():.0%} of the pixels; try another --size."
            findings.append(Advice("cropped-pictures", text))
    return findings


def _advise_on_labels(dataset: ImageDataset) -> list[Advice]:
    problems = dataset.manifest.label_problems
    if not problems:
        return []
    lead = "Labels were found but are not used" if not dataset.class_names else "Only some labels are used"
    return [Advice("labels-rejected", f"{lead}: {'; '.join(map(visible, problems))}")]


def _advise_on_parts(dataset: ImageDataset) -> list[Advice]:
    """Advise on folders such as train and test, which are read as one dataset."""
    usable = dataset.records["row"] >= 0
    parts = split_folders(Names(dataset.listing, usable))
    if parts is None:
        return []
    classes = " and taken for classes" if set(parts.names) <= set(dataset.class_names) else ""
    text = (
        f"{listed(parts.names)} look like the splits of one dataset; all are read{classes}. "
        f"{_how_to_separate(dataset, parts)}"
    )
    return [Advice("split-folders", text)]


def _how_to_separate(dataset: ImageDataset, parts: SplitFolders) -> str:
    """Return what the user should give instead of a dataset with splits."""
    where = "/".join(filter(None, [dataset.place_of_all.rstrip("/"), parts.parent]))
    if dataset.manifest.kind == "webdataset":
        return "Move the tars of each split into a separate folder, and give the folder to train on."
    if parts.repeated:
        return "Put the images to train on into a separate folder, with a folder in it for each class."
    if not Path(where).is_dir():
        return f"Unpack it, and give its folder {parts.names[0]}; compare with the rest with ganzfeld eval."
    inside = f" ({listed(parts.inside)} are its classes)" if len(parts.inside) > 1 else ""
    return (
        f"Give the folder to train on, {where}/{parts.names[0]}{inside}, and compare with the rest later: "
        f"ganzfeld eval RUN {in_shell(f'{where}/{parts.names[1]}')}"
    )
