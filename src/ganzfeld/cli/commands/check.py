"""``ganzfeld check``."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzfeld.catalogue import did_you_mean
from ganzfeld.cli.options import expand_options, words_of
from ganzfeld.cli.speech import LONGEST_MESSAGE, Json, show_result
from ganzfeld.errors import DataError, UsageError
from ganzfeld.options import PreparationOptions
from ganzfeld.output import Mark, require_replaceable
from ganzfeld.printable import LONGEST_NAME, counted, in_shell, printable

if TYPE_CHECKING:
    from ganzfeld.data import ImageDataset
    from ganzfeld.data.cache.verify import Verification
    from ganzfeld.data.check.survey import Survey

_MOST_LISTED = 20
SHEET_OF = ("images", "duplicates")


@expand_options
def command(
    data: Annotated[
        str | None, typer.Argument(help="Images: a folder, archive or array file. Default: built-in faces.")
    ] = None,
    size: Annotated[str, typer.Option(help="Image size in pixels: N, or WxH (width by height).")] = "64",
    preparation: PreparationOptions = PreparationOptions(),
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every file again and compare it with the cached image.")
    ] = False,
    sheet: Annotated[
        Path | None,
        typer.Option(help="Contact sheet (PNG) to write: 64 images as they will be trained on."),
    ] = None,
    sheet_of: Annotated[
        str, typer.Option(help="Content of --sheet: images, or duplicates, group by group.")
    ] = SHEET_OF[0],
    json: Json = False,
) -> None:
    """Check images before training, and list the unusable ones.

    Shows counts, sizes, duplicates, and why files are left out. Every image is decoded into the cache, so
    that a run starts at once. Warnings do not change the exit code. It is 3 if training would be refused,
    or if --verify finds files that differ from the cached images. The time and memory of training are
    measured by `ganzfeld train DATA --dry-run`.

    Example: ganzfeld check photos/ --size 64 --sheet sheet.png
    """
    from ganzfeld.data import open_images
    from ganzfeld.data.cache.verify import verify as compare
    from ganzfeld.data.check.survey import survey
    from ganzfeld.data.images import why_refused
    from ganzfeld.data.source import encodable

    _check_sheet(sheet, sheet_of)
    # First, because decoding makes a new dataset of changed files, which would be compared with themselves.
    verification = compare(data) if verify else None
    options: dict[str, Any] = asdict(preparation) | {"max_bad": None}  # everything is listed before a refusal
    dataset = open_images(data, size, **options)
    surveyed = survey(dataset)
    refusal = why_refused(dataset, preparation.max_bad)
    written = _write_sheet(surveyed, sheet, sheet_of) if sheet else None
    dry_run = _dry_run_command(data, size, preparation, dataset)
    result = surveyed.as_json() | {"refused": refusal.message if refusal else None, "dry_run": dry_run}
    result |= {"sheet": written, "labels": preparation.labels and encodable(preparation.labels)}
    result |= {"verification": _verification_json(verification)} if verification else {}
    show_result(result, _text(surveyed, verification, refusal, dry_run, written), json)
    if refusal or (verification and verification.changed):
        raise typer.Exit(DataError.exit_code)


def _dry_run_command(
    data: str | None, size: str, preparation: PreparationOptions, dataset: "ImageDataset"
) -> str:
    """Return the command that measures the time and memory of training on these data."""
    words = ["ganzfeld", "train", *([data] if data else []), "--size", size]
    return " ".join(map(in_shell, [*words, *words_of(preparation), *_output_words(dataset), "--dry-run"]))


def _output_words(dataset: "ImageDataset") -> list[str]:
    """Return the setting that the recipe of the kind needs for the scale of the data; usually none."""
    if dataset.framing.kind == "image" or not dataset.num_pictures:
        return []
    from ganzfeld.networks.outputs import covering
    from ganzfeld.recipes import read_recipe

    scale = dataset.scale
    fitting = covering(scale.INTERVAL, scale.SUMS_TO_ONE)
    if read_recipe(dataset.kind.RECIPE).generator.output in fitting:
        return []
    return ["--set", f"generator.output={fitting[0]}"]


def _check_sheet(sheet: Path | None, sheet_of: str) -> None:
    """Raise ``UsageError`` for an unknown content of the contact sheet, or for content without a file."""
    if sheet_of not in SHEET_OF:
        raise UsageError(f"unknown choice {sheet_of!r} for sheet-of", did_you_mean(sheet_of, SHEET_OF))
    if sheet is None and sheet_of != SHEET_OF[0]:
        raise UsageError("sheet-of needs a file to write to", "Name it with --sheet FILE.png.")
    if sheet is not None:
        require_replaceable(sheet, Mark.CONTACT_SHEET)


def _write_sheet(surveyed: "Survey", sheet: Path, sheet_of: str) -> dict[str, Any]:
    """Write the contact sheet unless it would be empty, and return what was written, as JSON."""
    from ganzfeld.data.check.contact_sheet import write_contact_sheet, write_sheet
    from ganzfeld.data.check.duplicate_sheet import duplicate_sheet

    dataset = surveyed.dataset
    if sheet_of == "images":
        if dataset.num_pictures:
            write_contact_sheet(dataset, sheet)
        return {"of": sheet_of, "file": str(sheet.absolute()) if dataset.num_pictures else None}
    if not surveyed.duplicates:
        return {"of": sheet_of, "file": None, "groups": 0, "groups_left_out": 0}
    drawn = duplicate_sheet(dataset, surveyed.duplicates)
    write_sheet(drawn.image, sheet)
    counts = {"groups": drawn.num_groups, "groups_left_out": drawn.num_left_out}
    return {"of": sheet_of, "file": str(sheet.absolute()), **counts}


def _sheet_text(written: dict[str, Any] | None) -> str:
    """Return in words what ``_write_sheet`` has written."""
    if written is None:
        return ""
    if written["file"] is None:
        return f"not written: there are no {written['of']} to show"
    if written["of"] == "images":
        return written["file"]
    left_out = f"; {counted(written['groups_left_out'], 'smaller one')} left out"
    groups = counted(written["groups"], "group")
    return f"{written['file']}: {groups} of duplicates{left_out if written['groups_left_out'] else ''}"


def _text(
    surveyed: "Survey",
    verification: "Verification | None",
    refusal: DataError | None,
    dry_run: str,
    written: dict[str, Any] | None,
) -> str:
    from ganzfeld.data.check.advice import notes_beside_advice

    shown = _rows(surveyed) | {"sheet": _sheet_text(written)}
    rows = {name: value for name, value in shown.items() if value}
    width = max(map(len, rows))
    lines = [f"{name.ljust(width)}  {printable(value)}" for name, value in rows.items()]
    lines += _listed("unusable", [f"{file.path}: {file.reason}" for file in surveyed.unusable])
    if verification:
        lines += _listed("changed", [f"{file.path}: {file.reason}" for file in verification.changed])
        lines += _listed("missing since decoding", list(verification.missing))
        lines += [_verified(verification)]
    warnings = [advice.text for advice in surveyed.warnings]
    lines += _listed("warnings", warnings + notes_beside_advice(surveyed.dataset), LONGEST_MESSAGE)
    if refusal:
        reason = "more are unusable than --max-bad allows" if surveyed.usable else "no image is usable"
        lines += ["", f"training would be refused (exit code 3): {reason}"]
    else:
        lines += ["", f"to measure the time and memory of training: {dry_run}"]
    return "\n".join(lines)


def _rows(surveyed: "Survey") -> dict[str, str]:
    dataset = surveyed.dataset
    trained_on = _trained_on(surveyed)
    ends = (surveyed.smallest[: dataset.kind.DIMS], surveyed.largest[: dataset.kind.DIMS])
    span = " to ".join("x".join(map(str, sides)) for sides in ends)
    sizes = _counts(surveyed.sizes, 4, surveyed.num_sizes)
    groups = (
        f"{counted(len(surveyed.duplicates), 'group')}, {counted(surveyed.num_redundant, dataset.kind.WORD)}"
    )
    usable = f"{surveyed.usable:,} usable, {len(surveyed.unusable):,} not, in {dataset.place_of_all}"
    return {
        f"{dataset.kind.WORD}s": usable,
        "trained on": trained_on if surveyed.usable else "",
        "values": f"{dataset.range} (black:white)" if dataset.range else "",
        "formats": _counts(surveyed.formats),
        "modes": _counts(surveyed.modes),
        "sizes": sizes + (f"; from {span}" if surveyed.num_sizes > 1 else ""),
        "classes": _counts(surveyed.classes),
        "duplicates": f"{groups} more than needed" if surveyed.duplicates else "none",
        "not images": _counts(dataset.manifest.ignored),
        "disk": f"{dataset.disk_bytes / 2**20:.1f} MiB in the cache",
        "memory": f"{dataset.pixel_bytes / 2**20:.1f} MiB for the images, freed if other programs need it",
        "decoded in": f"{dataset.manifest.decode_seconds:.1f} s, once",
        "credit": dataset.credit,
    }


def _trained_on(surveyed: "Survey") -> str:
    """Return size, channels and what becomes of the values, in words."""
    dataset = surveyed.dataset
    size = "x".join(map(str, dataset.size))
    if dataset.framing.kind == "image":
        colour = "grey" if dataset.channels == 1 else "colour"
        return f"{size} px, {colour}; the centre crop keeps {surveyed.kept_pixels:.0%} of all pixels"
    channels = counted(dataset.channels, "channel")
    return f"{size}, {channels}, {dataset.dtype.name}; scale {dataset.scale.name}, units are kept"


def _counts(counts: dict[str, int], most: int = 8, num_kinds: int | None = None) -> str:
    shown = [f"{name or 'none'} ({count:,})" for name, count in list(counts.items())[:most]]
    rest = (len(counts) if num_kinds is None else num_kinds) - len(shown)
    return ", ".join(shown) + (f" and {rest:,} more" if rest else "")


def _listed(title: str, items: list[str], longest: int = LONGEST_NAME) -> list[str]:
    if not items:
        return []
    rest = (
        [f"  and {len(items) - _MOST_LISTED:,} more (--json lists all)"] if len(items) > _MOST_LISTED else []
    )
    return ["", title, *(f"  {printable(item, longest)}" for item in items[:_MOST_LISTED]), *rest]


def _verified(verification: "Verification") -> str:
    if verification.against is None:
        return "\nnothing to verify: these images had not been decoded before"
    return f"\n{counted(verification.num_read, 'file')} read again, {len(verification.changed):,} changed"


def _verification_json(verification: "Verification") -> dict[str, Any]:
    from ganzfeld.data.source import encodable, named

    return {
        "read": verification.num_read,
        "first_time": verification.against is None,
        "changed": [named(file.path) | {"reason": file.reason} for file in verification.changed],
        "missing": [encodable(path) for path in verification.missing],
        "new": [encodable(path) for path in verification.new],
    }
