"""``ganzfeld cache``."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from ganzfeld.cli.speech import Json, show_result
from ganzfeld.errors import UsageError
from ganzfeld.printable import counted, listed, printable

if TYPE_CHECKING:
    from ganzfeld.data.cache.prune import CachedFolder

MOST_DAYS, MOST_MIB = 1_000_000, 2**43
_COLUMNS = "{:>12}  {:10}  {:>9}  {:>9}  {:6}  {:20}  {}"
_HEADINGS = _COLUMNS.format("disk", "last used", "images", "size", "colour", "name", "from")

application = typer.Typer(
    help="List and prune the cache: images, lab runs, encoders.\n\nExample: ganzfeld cache list",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@application.command("list")
def list_sets(json: Json = False) -> None:
    """List the datasets in the cache, and count what else is there.

    Shows for each dataset its disk space, when it was last used, the number and size of its images, and where
    they are from; below, how many short runs of the lab and encoders of generators the cache holds.

    Example: ganzfeld cache list
    """
    from ganzfeld.data.cache.prune import cached_sets, encoders, lab_runs
    from ganzfeld.data.cache.store import cache_root

    sets, trainings = cached_sets(cache_root()), lab_runs(cache_root())
    fitted = encoders(cache_root())
    total = sum(dataset.disk_bytes for dataset in sets)
    described = [dataset.as_json() for dataset in sets]
    lines = [_HEADINGS] if sets else []
    lines += map(_line, described)
    place = printable(str(cache_root()))
    lines.append(f"{counted(len(sets), 'dataset')}, {total / 2**20:,.1f} MiB in {place}")
    if trainings:
        lines.append(f"{counted(len(trainings), 'short run')} of the lab, {_mib(trainings)}")
    if fitted:
        lines.append(f"{counted(len(fitted), 'encoder')} of latent invert and complete, {_mib(fitted)}")
    result = {
        "cache": str(cache_root()),
        "disk_bytes": total,
        "sets": described,
        "trainings": len(trainings),
        "trainings_bytes": _bytes(trainings),
        "encoders": len(fitted),
        "encoders_bytes": _bytes(fitted),
    }
    show_result(result, "\n".join(lines), json)


@application.command()
def prune(
    days: Annotated[
        float | None, typer.Option(help="Remove datasets that were not used for this number of days.")
    ] = None,
    keep: Annotated[
        float | None,
        typer.Option(help="Keep the most recently used datasets up to this many MiB; remove the rest."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove all datasets.")] = False,
    json: Json = False,
) -> None:
    """Remove datasets from the cache.

    Without options, only unfinished datasets are removed. A removed dataset is decoded again when it is
    needed. --days and --all also remove short runs of the lab, and encoders, which are fitted again.

    Example: ganzfeld cache prune --days 30
    """
    from ganzfeld.data.cache import prune as pruning
    from ganzfeld.data.cache.store import cache_root

    for name, value, most in (("days", days, MOST_DAYS), ("keep", keep, MOST_MIB)):
        if value is not None and not 0 <= value <= most:
            raise UsageError(f"{name} must be from 0 to {most:,}, not {value}")
    keep_bytes = 0 if everything else None if keep is None else int(keep * 2**20)
    removed = pruning.prune(cache_root(), None if days is None else days * 86_400, keep_bytes)
    trainings, fitted = [], []
    if everything or days is not None:
        idle_s = 0.0 if everything or days is None else days * 86_400
        trainings = pruning.prune_lab_runs(cache_root(), idle_s)
        fitted = pruning.prune_encoders(cache_root(), idle_s)
    freed = sum(entry.disk_bytes for entry in (*removed, *trainings, *fitted))
    result = {
        "removed": [dataset.as_json() for dataset in removed],
        "freed_bytes": freed,
        "removed_trainings": len(trainings),
        "removed_encoders": len(fitted),
    }
    what = [counted(len(removed), "dataset"), *([counted(len(trainings), "lab run")] if trainings else [])]
    what += [counted(len(fitted), "encoder")] if fitted else []
    text = f"{listed(what)} removed, {freed / 2**20:,.1f} MiB freed"
    if days is None and keep is None and not everything:
        text += "\nwithout --days, --keep or --all only unfinished datasets are removed"
    show_result(result, text, json)


def _bytes(folders: "list[CachedFolder]") -> int:
    return sum(entry.disk_bytes for entry in folders)


def _mib(folders: "list[CachedFolder]") -> str:
    return f"{_bytes(folders) / 2**20:,.1f} MiB"


def _line(dataset: dict) -> str:
    disk = f"{dataset['disk_bytes'] / 2**20:,.1f} MiB"
    used = time.strftime("%Y-%m-%d", time.localtime(dataset["used_at"]))
    where = ", ".join(dataset["seen_at"])
    if not dataset["complete"]:
        return printable(_COLUMNS.format(disk, used, "", "", "", "unfinished", where).rstrip())
    num, size = f"{dataset['pictures']:,}", "{}x{}".format(*dataset["size"])
    colour = "grey" if dataset["channels"] == 1 else "colour"
    return printable(_COLUMNS.format(disk, used, num, size, colour, dataset["name"], where))
