"""Opening run folders: by path, by the launch that began them, and new ones."""

import contextlib
from pathlib import Path

from ganzfeld.durable import make_folder
from ganzfeld.errors import DamagedError, GanzfeldError, UsageError
from ganzfeld.kinds import check_arguments
from ganzfeld.model.files import find_weights, no_run
from ganzfeld.printable import in_shell
from ganzfeld.run_layout import METADATA, is_watched
from ganzfeld.runs.run import Run
from ganzfeld.runs.watched_run import WatchedRun
from ganzfeld.system import in_words


@in_words()
@check_arguments
def open_run(path: str | Path) -> Run:
    """Open a run folder, or a folder that ``gz.watch`` wrote, which has no recipe and no model.

    Raises ``UsageError`` if ``path`` is neither, and ``DamagedError`` for a run that has lost its recipe.
    """
    folder = Path(path)
    if not (folder / "recipe.json").is_file():
        if is_watched(folder):
            return WatchedRun(folder)
        if (folder / METADATA).is_file():
            raise DamagedError(
                f"{path} has no recipe.json any more", "Restore it from a copy, or train again."
            )
        try:
            find_weights(folder)
        except UsageError:
            raise no_run(
                folder, f"{path} is not a run", "a run folder, as ganzfeld train makes one"
            ) from None
        raise UsageError(
            f"{path} is a model folder, not a run folder", "A run folder contains a recipe.json."
        )
    return Run(folder)


def advice_for_moved_run(path: Path | None) -> str:
    """Say what can be done with a run whose folder was moved to ``path`` (None: deleted) while it trained.

    Names a command only if that command can work.
    """
    if path is None:
        return "The run cannot be resumed. Begin a new one."
    try:
        run = open_run(path)
        saved, data = run.history.all(), run.metadata.data
    except GanzfeldError as error:
        return f"It cannot be resumed there: {error.message}."
    if not saved:
        return "Nothing had been saved yet: begin a new run."
    if data is not None and not Path(data).exists():
        return f"Its checkpoints are there, but its images are no longer at {data}."
    return f"To resume it from {saved[-1]:,} images: ganzfeld resume {in_shell(path)}"


def run_begun_by(launch: str, out: Path) -> Run | None:
    """Return the newest run in ``out`` that the launch of this name began; None if there is none."""
    runs = []
    for path in sorted(out.iterdir()) if out.is_dir() else []:
        with contextlib.suppress(GanzfeldError):
            run = open_run(path)
            if run.metadata.launch == launch:
                runs.append(run)
    return max(runs, key=lambda run: run.metadata.started, default=None)


def create_run(out: Path, name: str) -> Run:
    """Create an empty run folder ``<out>/<name>-001``, or with the next free number."""
    make_folder(out)
    number = 1 + max((_number(path.name, name) for path in out.iterdir()), default=0)
    while True:
        path = out / f"{name}-{number:03d}"
        try:
            make_folder(path, exist_ok=False)
        except FileExistsError:  # another run took the number in the meantime
            number += 1
            continue
        make_folder(path / "samples")
        return Run(path)


def _number(folder: str, name: str) -> int:
    stem, _, number = folder.rpartition("-")
    return int(number) if stem == name and number.isdecimal() else 0
