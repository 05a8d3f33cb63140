"""What to mind about a set of images. Advice never stops anything: it says what will show in the result."""

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
    """Something that will show in the result; ``name`` is fixed, ``text`` is for people."""

    name: str
    text: str


def advice(
    dataset: ImageDataset, duplicates: list[Group], upscaled: int, kept: np.ndarray, aspects: np.ndarray
) -> list[Advice]:
    """Everything worth a word; ``kept`` and ``aspects`` (width by height) have one value an image."""
    used = dataset.records[dataset.records["row"] >= 0]
    values = _about_values(used, dataset)
    found = [
        *_about_number(dataset.num_pictures),
        *values,
        *_about_clear(used),
        *_about_duplicates(dataset, duplicates, crushed=bool(values)),
        *_about_shape(dataset, upscaled, kept, aspects),
        *_about_frames(used, dataset.framing.frames),
        *_about_hidden(used),
        *_about_parts(dataset),
        *_about_labels(dataset),
    ]
    bad = dataset.manifest.num_entries - dataset.num_pictures
    if bad:
        found.append(
            Advice(
                "unusable-pictures",
                f"{counted(dataset.manifest.num_entries, 'image')} found, {bad:,} left out.",
            )
        )
    found += [*_about_the_fourth_channel(used), *(_about_grey(used) if dataset.channels == 3 else [])]
    passed_over = sorted(_NOT_READ & set(dataset.manifest.ignored))
    if passed_over:
        count = sum(dataset.manifest.ignored[kind] for kind in passed_over)
        text = (
            f"Not read, because of the format: {counted(count, 'file')} ({', '.join(passed_over)}). Convert."
        )
        found.append(Advice("formats-not-read", text))
    return found


def advice_on_reading(dataset: ImageDataset) -> list[Advice]:
    """Return what to mind about how the images were read, whatever they are for; no image is looked at."""
    used = dataset.records[dataset.records["row"] >= 0]
    return [
        *_about_values(used, dataset),
        *_about_frames(used, dataset.framing.frames),
        *_about_hidden(used),
        *_about_parts(dataset),
        *_about_the_fourth_channel(used),
        *(_about_grey_read_as_colour(used) if dataset.channels == 3 else []),
        *_about_labels(dataset),
    ]


def _about_values(used: np.ndarray, dataset: ImageDataset) -> list[Advice]:
    values = advice_on_values(used[~used["clear"]], dataset.range)
    if values and dataset.channels == 3 and _cannot_tell_grey(used):
        values.append("Whether they are grey cannot be told from so few levels.")
    return [Advice("value-range", " ".join(values))] if values else []


def _about_number(num_pictures: int) -> list[Advice]:
    if not 0 < num_pictures < ENOUGH:
        return []
    if num_pictures == 1:
        text = "A single image: the generator can only learn to copy it."
    else:
        text = (
            f"Only {num_pictures} images: a long run may learn them by heart. Add images. Failing that, "
            "show them shifted (--set crop=0.125), and mirrored (--set mirror=true) where left and right "
            "mean the same, and end early. The stabiliser augmentation is made against it too; short runs "
            "came out worse with it."
        )
    return [Advice("too-few-pictures", text)]


def _about_duplicates(dataset: ImageDataset, duplicates: list[Group], *, crushed: bool) -> list[Advice]:
    redundant = sum(len(group.entries) - 1 for group in duplicates)
    if not redundant:
        return []
    if redundant == dataset.num_pictures - 1:
        text = f"All {dataset.num_pictures:,} images are the same one."
    else:
        same = sum(len(group.entries) - _num_files(dataset, group) for group in duplicates)
        which = f" ({same:,} as the same file)" if same else ""
        text = f"Repeated, and so of more weight: {counted(redundant, 'image')}{which}."
    if crushed and not all(group.exact for group in duplicates):
        text += " The range of values may have made different ones alike."
    return [Advice("duplicate-pictures", text)]


def _about_the_fourth_channel(used: np.ndarray) -> list[Advice]:
    """What was taken for granted of a channel that nothing names: near infrared, depth, a mask, opacity."""
    over, left_out = (used["assumed"] == what for what in (b"over", b"none"))
    parts = []
    if over.any():
        parts.append(
            f"{counted(int(over.sum()), 'image')} with a fourth channel that nothing names: it was taken for "
            "opacity, over --background. If it is none (near infrared, depth), leave it out with --alpha "
            "none; --alpha over says that it is."
        )
    if left_out.any():
        parts.append(
            f"{counted(int(left_out.sum()), 'image')} with a fourth channel of unspecified meaning: it was "
            "left out. --alpha over takes it for opacity; --alpha none says that it is to be left out."
        )
    return [Advice("alpha-assumed", " ".join(parts))] if parts else []


def _about_frames(used: np.ndarray, wanted: str) -> list[Advice]:
    """How many frames of animations and stacks are not read."""
    numbers = used["frames"][used["frames"] > 1].astype(np.int64)
    if wanted == ALL_FRAMES or not len(numbers):
        return []
    read = np.minimum(numbers, 1 if wanted == FIRST_FRAME else int(wanted))  # of a file, an entry each
    unread, files = round(float(((numbers - read) / read).sum())), round(float((1 / read).sum()))
    if not unread:
        return []
    which = "the first one is" if wanted == FIRST_FRAME else f"{wanted} of each, evenly spaced, are"
    text = (
        f"{counted(files, 'file')} with several frames: {which} read, and {unread:,} are not. "
        "--frames all reads all, --frames N so many of each file, evenly spaced."
    )
    return [Advice("unread-frames", text)]


def _about_hidden(used: np.ndarray) -> list[Advice]:
    """Images that are in the same file as another one, and no frames."""
    numbers = used["hidden"][used["hidden"] > 0].astype(np.int64)
    if not len(numbers):
        return []
    text = (
        f"{counted(len(numbers), 'file')} with more images behind the first one (MPO: the other view of a "
        f"stereo camera, a preview, a map of depth): the first one is read, and {numbers.sum():,} are not. "
        "Save them as files of their own to train on them."
    )
    return [Advice("unread-images", text)]


def _about_clear(used: np.ndarray) -> list[Advice]:
    """Images that are transparent all over."""
    clear = used[used["clear"]]
    if not len(clear):
        return []
    which = "All images are" if len(clear) == len(used) else f"{len(clear):,} of {len(used):,} images are"
    text = f"{which} wholly transparent: nothing of them is seen but --background."
    if not (clear["most"] == clear["least"]).all():
        text += " --alpha none shows what lies beneath."
    return [Advice("transparent-images", text)]


def _cannot_tell_grey(used: np.ndarray) -> bool:
    """Whether all that is stored as colour may be grey, and has too few levels to tell."""
    colour = used[~used["grey"]]
    return bool(len(colour)) and bool((seems_grey(colour) & ~has_levels_to_tell(colour)).all())


def _about_grey(used: np.ndarray) -> list[Advice]:
    """Grey images of a set that is trained on in colour, whether their files say so or not."""
    stored, hidden = _num_grey(used)
    found = []
    if 0 < stored < len(used):
        text = f"{stored:,} of {len(used):,} images are grey: some of what is made will be, too."
        found.append(Advice("grey-among-colour", text))
    if hidden:
        which = "All images are" if hidden == len(used) else f"{hidden:,} of {len(used):,} images are"
        means = (
            "--channels 1 trains on grey, in a third of the room."
            if hidden + stored == len(used)
            else "some of what is made will be grey, too; --channels 1 makes all grey."
        )
        found.append(Advice("grey-as-colour", f"{which} grey, stored as colour: {means}"))
    return found


def _about_grey_read_as_colour(used: np.ndarray) -> list[Advice]:
    """The same of a set that is not trained on: what is made of it stays as it is."""
    grey = sum(_num_grey(used))
    which = "All images are" if grey == len(used) else f"{grey:,} of {len(used):,} images are"
    return [Advice("grey-as-colour", f"{which} grey, and read as colour.")] if grey else []


def _num_grey(used: np.ndarray) -> tuple[int, int]:
    """How many images store grey, and how many more are grey and store colour."""
    hidden = ~used["grey"] & seems_grey(used) & has_levels_to_tell(used)
    return int(used["grey"].sum()), int(hidden.sum())


def _num_files(dataset: ImageDataset, group: Group) -> int:
    """How many different files a group consists of."""
    return 1 if group.exact else len(np.unique(dataset.records["sha256"][list(group.entries)], axis=0))


def _about_shape(dataset: ImageDataset, upscaled: int, kept: np.ndarray, aspects: np.ndarray) -> list[Advice]:
    found = []
    width, height = dataset.size
    if upscaled:
        text = f"Smaller than {width}x{height} px, and soft when enlarged: {counted(upscaled, 'image')}."
        found.append(Advice("upscaled-pictures", text))
    if len(aspects):
        low, high = np.percentile(aspects, [5, 95])
        if high > _MOST_SPREAD * low:
            text = (
                f"The shapes differ: for nine tenths of them, width by height is {low:.2f} to {high:.2f}. "
                "The crop takes more from some than from others."
            )
            found.append(Advice("varying-aspect", text))
        if kept.mean() < 1 - _MOST_LOSS:
            text = f"The centre crop throws away {1 - kept.mean():.0%} of the pixels; try another --size."
            found.append(Advice("cropped-pictures", text))
    return found


def _about_labels(dataset: ImageDataset) -> list[Advice]:
    problems = dataset.manifest.label_problems
    if not problems:
        return []
    lead = "Labels were found and are not used" if not dataset.class_names else "Labels are used in part"
    return [Advice("labels-rejected", f"{lead}: {'; '.join(map(visible, problems))}")]


def _about_parts(dataset: ImageDataset) -> list[Advice]:
    """On folders such as train and test, which are read as one set."""
    usable = dataset.records["row"] >= 0
    parts = split_folders(Names(dataset.listing, usable))
    if parts is None:
        return []
    classes = " and taken for classes" if set(parts.names) <= set(dataset.class_names) else ""
    text = (
        f"{listed(parts.names)} look like the parts of one set that was split; all are read{classes}. "
        f"{_how_to_part(dataset, parts)}"
    )
    return [Advice("split-folders", text)]


def _how_to_part(dataset: ImageDataset, parts: SplitFolders) -> str:
    """What to give instead of a set with parts."""
    where = "/".join(filter(None, [dataset.place_of_all.rstrip("/"), parts.parent]))
    if dataset.manifest.kind == "webdataset":
        return "Move the tars of each part into a folder of their own, and give the one to train on."
    if parts.repeated:
        return "Put the images to train on into a folder of their own, with a folder in it for each class."
    if not Path(where).is_dir():
        return f"Unpack it, and give its folder {parts.names[0]}; compare with the rest by ganzfeld eval."
    inside = f" ({listed(parts.inside)} are its classes)" if len(parts.inside) > 1 else ""
    return (
        f"Give the one to train on, {where}/{parts.names[0]}{inside}, and compare with the rest later: "
        f"ganzfeld eval RUN {in_shell(f'{where}/{parts.names[1]}')}"
    )
