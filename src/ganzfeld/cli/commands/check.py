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
    from ganzfeld.data.cache.verify import Verification
    from ganzfeld.data.check.survey import Survey

_MOST_LISTED = 20
SHEET_OF = ("images", "duplicates")


@expand_options
def command(
    data: Annotated[
        str | None, typer.Argument(help="Images: a folder, archive or array file. Default: built-in faces.")
    ] = None,
    size: Annotated[str, typer.Option(help="Pixels: N, or WxH (width by height).")] = "64",
    preparation: PreparationOptions = PreparationOptions(),
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every file again and compare it with what was decoded.")
    ] = False,
    sheet: Annotated[
        Path | None, typer.Option(help="Write a contact sheet (PNG): 64 images as they are trained on.")
    ] = None,
    sheet_of: Annotated[
        str, typer.Option(help="What --sheet shows: images, or duplicates, group by group.")
    ] = SHEET_OF[0],
    json: Json = False,
) -> None:
    """Look at images before training, and say what cannot be used.

    Shows counts, sizes, duplicates, and why files are left out. Every image is decoded into the cache, so
    that training starts at once. Warnings end nothing; the exit code is 3 when training would be refused, or
    when --verify finds files that are not what was decoded. What a training takes is not measured here but
    by `ganzfeld train DATA --dry-run`.

    Example: ganzfeld check photos/ --size 64 --sheet sheet.png
    """
    from ganzfeld.data import open_images
    from ganzfeld.data.cache.verify import verify as compare
    from ganzfeld.data.check.survey import survey
    from ganzfeld.data.images import why_refused
    from ganzfeld.data.source import encodable

    _check_sheet(sheet, sheet_of)
    # Before anything is decoded: a changed file becomes a new set, and would then be compared with itself.
    verification = compare(data) if verify else None
    options: dict[str, Any] = asdict(preparation) | {"max_bad": None}  # all is listed before it is refused
    dataset = open_images(data, _two(size), **options)
    found = survey(dataset)
    refusal = why_refused(dataset, preparation.max_bad)
    written = _write_sheet(found, sheet, sheet_of) if sheet else None
    rehearsal = _rehearsal(data, size, preparation)
    result = found.as_json() | {"refused": refusal.message if refusal else None, "dry_run": rehearsal}
    result |= {"sheet": written, "labels": preparation.labels and encodable(preparation.labels)}
    result |= {"verification": _verification_json(verification)} if verification else {}
    show_result(result, _text(found, verification, refusal, rehearsal, written), json)
    if refusal or (verification and verification.changed):
        raise typer.Exit(DataError.exit_code)


def _two(size: str) -> tuple[int, int]:
    """``64`` or ``96x160`` as (width, height)."""
    from ganzfeld.cli.commands.plan import sizes_of

    sides = sizes_of(size)
    if isinstance(sides, int):
        return sides, sides
    if len(sides) != 2:
        raise UsageError(f"images have two sides, not {len(sides)}: {size}")
    return sides[0], sides[1]


def _rehearsal(data: str | None, size: str, preparation: PreparationOptions) -> str:
    """The command that measures what training on these images would take."""
    words = ["ganzfeld", "train", *([data] if data else []), "--size", size]
    return " ".join(map(in_shell, [*words, *words_of(preparation), "--dry-run"]))


def _check_sheet(sheet: Path | None, sheet_of: str) -> None:
    """Raise ``UsageError`` for a sheet of something unknown, and for one that has no file to go to."""
    if sheet_of not in SHEET_OF:
        raise UsageError(f"unknown choice {sheet_of!r} for sheet-of", did_you_mean(sheet_of, SHEET_OF))
    if sheet is None and sheet_of != SHEET_OF[0]:
        raise UsageError("sheet-of needs a file to write to", "Name it with --sheet FILE.png.")
    if sheet is not None:
        require_replaceable(sheet, Mark.CONTACT_SHEET)


def _write_sheet(found: "Survey", sheet: Path, sheet_of: str) -> dict[str, Any]:
    """Write the sheet if there is something to show, and say what was written."""
    from ganzfeld.data.check.contact_sheet import write_contact_sheet, write_sheet
    from ganzfeld.data.check.duplicate_sheet import duplicate_sheet

    dataset = found.dataset
    if sheet_of == "images":
        if dataset.num_pictures:
            write_contact_sheet(dataset, sheet)
        return {"of": sheet_of, "file": str(sheet.absolute()) if dataset.num_pictures else None}
    if not found.duplicates:
        return {"of": sheet_of, "file": None, "groups": 0, "groups_left_out": 0}
    drawn = duplicate_sheet(dataset, found.duplicates)
    write_sheet(drawn.image, sheet)
    counts = {"groups": drawn.num_groups, "groups_left_out": drawn.num_left_out}
    return {"of": sheet_of, "file": str(sheet.absolute()), **counts}


def _about_sheet(written: dict[str, Any] | None) -> str:
    """What was written, in words."""
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
    found: "Survey",
    verification: "Verification | None",
    refusal: DataError | None,
    rehearsal: str,
    written: dict[str, Any] | None,
) -> str:
    shown = _rows(found) | {"sheet": _about_sheet(written)}
    rows = {name: value for name, value in shown.items() if value}
    width = max(map(len, rows))
    lines = [f"{name.ljust(width)}  {printable(value)}" for name, value in rows.items()]
    lines += _listed("unusable", [f"{each.path}: {each.reason}" for each in found.unusable])
    if verification:
        lines += _listed("changed", [f"{each.path}: {each.reason}" for each in verification.changed])
        lines += _listed("missing since it was decoded", list(verification.missing))
        lines += [_verified(verification)]
    said = [advice.text for advice in found.warnings]
    notes = [note for note in found.dataset.notes if not any(note in text for text in said)]
    lines += _listed("to mind", said + notes, LONGEST_MESSAGE)
    if refusal:
        why = "more are unusable than --max-bad allows" if found.usable else "no image is usable"
        lines += ["", f"training would be refused (exit 3): {why}"]
    else:
        lines += ["", f"time and memory of a training are measured by: {rehearsal}"]
    return "\n".join(lines)


def _rows(found: "Survey") -> dict[str, str]:
    dataset = found.dataset
    width, height = dataset.size
    colour = "grey" if dataset.channels == 1 else "colour"
    span = " to ".join(f"{side[0]}x{side[1]}" for side in (found.smallest, found.largest))
    sizes = _counts(found.sizes, 4, found.num_sizes) + (f"; from {span}" if found.num_sizes > 1 else "")
    groups = f"{counted(len(found.duplicates), 'group')}, {counted(found.num_redundant, 'image')}"
    kept = f"the centre crop keeps {found.kept_pixels:.0%} of all pixels"
    return {
        "images": f"{found.usable:,} usable, {len(found.unusable):,} not, in {dataset.place_of_all}",
        "trained on": f"{width}x{height} px, {colour}; {kept}" if found.usable else "",
        "values": f"{dataset.range} (black:white)" if dataset.range else "",
        "formats": _counts(found.formats),
        "modes": _counts(found.modes),
        "sizes": sizes,
        "classes": _counts(found.classes),
        "duplicates": f"{groups} more than needed" if found.duplicates else "none",
        "not images": _counts(dataset.manifest.ignored),
        "disk": f"{dataset.disk_bytes / 2**20:.1f} MiB in the cache",
        "memory": f"{dataset.pixel_bytes / 2**20:.1f} MiB for the images, given back when others need it",
        "decoded in": f"{dataset.manifest.decode_seconds:.1f} s, once",
        "credit": dataset.credit,
    }


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
        return "\nnothing to verify against: these images had not been decoded before"
    return f"\n{counted(verification.num_read, 'file')} read again, {len(verification.changed):,} changed"


def _verification_json(verification: "Verification") -> dict[str, Any]:
    from ganzfeld.data.source import encodable, named

    return {
        "read": verification.num_read,
        "first_time": verification.against is None,
        "changed": [named(each.path) | {"reason": each.reason} for each in verification.changed],
        "missing": [encodable(path) for path in verification.missing],
        "new": [encodable(path) for path in verification.new],
    }
