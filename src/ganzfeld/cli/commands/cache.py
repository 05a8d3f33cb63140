"""``ganzfeld cache``."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from ganzfeld.cli.speech import Json, show_result
from ganzfeld.errors import UsageError
from ganzfeld.printable import counted, printable

if TYPE_CHECKING:
    from ganzfeld.data.cache.prune import KeptTraining

MOST_DAYS, MOST_MIB = 1_000_000, 2**43
_COLUMNS = "{:>12}  {:10}  {:>9}  {:>9}  {:6}  {:20}  {}"
_HEADINGS = _COLUMNS.format("room", "last used", "images", "size", "colour", "name", "from")

application = typer.Typer(
    help=("List and prune what runs share: decoded images, lab trainings.\n\nExample: ganzfeld cache list"),
    no_args_is_help=True,
    rich_markup_mode=None,
)


@application.command("list")
def list_sets(json: Json = False) -> None:
    """List the sets of images in the cache.

    Each with its number of images, their size, the room it takes, when it was last used, and where from.

    Example: ganzfeld cache list
    """
    from ganzfeld.data.cache.prune import cached_sets, kept_trainings
    from ganzfeld.data.cache.store import cache_root

    sets, trainings = cached_sets(cache_root()), kept_trainings(cache_root())
    total = sum(each.disk_bytes for each in sets)
    lines = [_HEADINGS] if sets else []
    lines += [_line(each.as_json()) for each in sets]
    lines.append(f"{counted(len(sets), 'set')}, {total / 2**20:,.1f} MiB in {printable(str(cache_root()))}")
    if trainings:
        lines.append(_of_the_lab(trainings))
    result = {
        "cache": str(cache_root()),
        "disk_bytes": total,
        "sets": [each.as_json() for each in sets],
        "trainings": len(trainings),
        "trainings_bytes": sum(each.disk_bytes for each in trainings),
    }
    show_result(result, "\n".join(lines), json)


@application.command()
def prune(
    days: Annotated[
        float | None, typer.Option(help="Remove sets that were not used for so many days.")
    ] = None,
    keep: Annotated[
        float | None, typer.Option(help="Keep the last used sets up to so many MiB, remove the rest.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove all sets.")] = False,
    json: Json = False,
) -> None:
    """Remove sets from the cache.

    Without options, what was left unfinished is removed. A removed set is decoded again when it is needed.
    --days and --all remove short trainings of the lab too.

    Example: ganzfeld cache prune --days 30
    """
    from ganzfeld.data.cache import prune as pruning
    from ganzfeld.data.cache.store import cache_root

    for name, value, most in (("days", days, MOST_DAYS), ("keep", keep, MOST_MIB)):
        if value is not None and not 0 <= value <= most:
            raise UsageError(f"{name} must be from 0 to {most:,}, not {value}")
    keep_bytes = 0 if everything else None if keep is None else int(keep * 2**20)
    removed = pruning.prune(cache_root(), None if days is None else days * 86_400, keep_bytes)
    trainings = []
    if everything or days is not None:
        idle_s = 0.0 if everything or days is None else days * 86_400
        trainings = pruning.prune_trainings(cache_root(), idle_s)
    freed = sum(each.disk_bytes for each in (*removed, *trainings))
    result = {
        "removed": [each.as_json() for each in removed],
        "freed_bytes": freed,
        "removed_trainings": len(trainings),
    }
    what = [counted(len(removed), "set"), *([counted(len(trainings), "training")] if trainings else [])]
    text = f"{' and '.join(what)} removed, {freed / 2**20:,.1f} MiB freed"
    if days is None and keep is None and not everything:
        text += "\nonly what was left unfinished is removed without --days, --keep or --all"
    show_result(result, text, json)


def _of_the_lab(trainings: "list[KeptTraining]") -> str:
    size = sum(each.disk_bytes for each in trainings) / 2**20
    return f"{counted(len(trainings), 'short training')} of the lab, {size:,.1f} MiB"


def _line(each: dict) -> str:
    room = f"{each['disk_bytes'] / 2**20:,.1f} MiB"
    used = time.strftime("%Y-%m-%d", time.localtime(each["used_at"]))
    where = ", ".join(each["seen_at"])
    if not each["complete"]:
        return printable(_COLUMNS.format(room, used, "", "", "", "unfinished", where).rstrip())
    size = "{}x{}".format(*each["size"])
    colour = "grey" if each["channels"] == 1 else "colour"
    return printable(_COLUMNS.format(room, used, f"{each['pictures']:,}", size, colour, each["name"], where))
