"""The sources of images, one per file. A new source needs no entry in any list.

Each module here defines

- ``recognises(path) -> int``: how certainly this source can read an existing path. 0: not at all; 1: possibly
  (any folder may be a folder of images); 2: the path has the marks of the format (a folder with a
  ``dataset.json``). Only names and first bytes are read. The module with the highest value opens the path.
- a subclass of ``ganzfeld.data.source.Source``, created with the path and named after the module: ``zip.py``
  defines ``ZipSource``.

A module with ``BUILT_IN = True`` is a dataset that this package makes itself. It is requested by its bare
name, and its ``recognises`` always returns 0.
"""

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from ganzfeld.catalogue import Catalogue, close_names, did_you_mean
from ganzfeld.data.decoding.extensions import EXTENSIONS
from ganzfeld.data.source import Source
from ganzfeld.data.sources._foreign import Foreign, foreign_by_content, foreign_by_ending
from ganzfeld.errors import DataError, UsageError
from ganzfeld.option_values import FIRST_FRAME
from ganzfeld.printable import printable
from ganzfeld.regular import is_regular

catalogue = Catalogue("ganzfeld.data.sources", "image source")
DEFAULT = "faces"
STACK = "stack"


def find_source(data: str | os.PathLike[str] | None, frames: str | None = None) -> tuple[str, Path]:
    """Return the name of the module that opens what the user gave, and its path.

    None means the built-in faces, and so does the text ``"faces"``, even if a folder of that name exists:
    write ``./faces`` for the folder. A ``Path`` of that name, which cannot hold ``./``, means the folder if
    there is one. ``frames`` says which frames to read of a file with several (None: any).

    Raises ``DataError`` if there is nothing at the path or no source recognises it, and ``UsageError`` for
    anything that is not a path.
    """
    if data is None:
        return DEFAULT, Path(DEFAULT)
    if not isinstance(data, str | os.PathLike):
        hint = "Save an array with numpy.save and give the path of that file."
        raise UsageError(f"images are given by a path, not by a {type(data).__name__}", hint)
    if isinstance(data, str) and data in built_in():
        return data, Path(data)
    try:
        path = Path(data).expanduser()
    except RuntimeError:
        path = Path(data)  # the home of an unknown user: there is nothing at that path
    if os.fspath(data) in built_in() and not path.exists():
        return os.fspath(data), path
    try:
        path.stat()
    except (OSError, ValueError) as problem:
        raise _missing_error(path, data, problem) from None
    if not path.is_dir() and not is_regular(path):
        raise DataError(f"{printable(str(data))} is neither a folder nor a regular file")
    foreign = foreign_by_content(path)
    kind = None if foreign else recognised(path)
    if kind is None:
        raise _unreadable_error(path, printable(str(data)), foreign or foreign_by_ending([path.suffix]))
    if kind == STACK and frames == FIRST_FRAME:
        raise _stack_error(path, printable(str(data)))
    return kind, path


def recognised(path: Path) -> str | None:
    """Return the name of the source that most certainly reads an existing path, or None."""
    certainty = {name: catalogue.load(name).recognises(path) for name in catalogue.names()}
    best = max(certainty, key=lambda name: certainty[name])
    return best if certainty[best] > 0 else None


def source_class(kind: str) -> type[Source]:
    """Return the class that the module of a kind of source defines."""
    return getattr(catalogue.load(kind), f"{kind.capitalize()}Source")


def open_source(kind: str, path: Path) -> Source:
    """Open the source of that kind at a path."""
    return source_class(kind)(path)


def how_to_convert(endings: Iterable[str]) -> str:
    """Return how to convert files with these endings (``.pt``) into images; may be empty."""
    foreign = foreign_by_ending(endings)
    return f"Each of these files seems to be {foreign.what}. {foreign.how}" if foreign else ""


def built_in() -> list[str]:
    """Return the names of the built-in datasets, which need no path."""
    return [name for name in catalogue.names() if getattr(catalogue.load(name), "BUILT_IN", False)]


def _unreadable_error(path: Path, shown: str, foreign: Foreign | None) -> DataError:
    """Return the error for an existing path that no source reads."""
    if foreign:
        return DataError(f"{shown} is {foreign.what}, not a set of images", foreign.how)
    if path.suffix.lower() in EXTENSIONS:
        hint = f"Give the folder that holds the images: {printable(str(path.parent))}"
        return DataError(f"{shown} is a single image, not a set of images", hint)
    hint = "Give a folder, a .zip, a .tar, an .npz or .npy, or an IDX file."
    return DataError(f"{shown} holds no images that can be read", hint)


def _stack_error(path: Path, shown: str) -> DataError:
    """Return the error for one file of several frames if only the first frame would be read."""
    number = catalogue.load(STACK).frames_in(path)
    hint = "Give --frames all to read each frame as an image, or --frames N for N evenly spaced frames."
    return DataError(
        f"{shown} is one file with {number:,} frames, of which only the first would be read", hint
    )


def _missing_error(path: Path, data: str | os.PathLike[str], problem: Exception) -> DataError:
    shown = printable(os.fspath(data))
    if not isinstance(problem, FileNotFoundError | NotADirectoryError):
        return DataError(f"{shown} cannot be opened: {getattr(problem, 'strerror', None) or problem}")
    parent = path.parent
    siblings = [os.fspath(parent / name) for name in _names(parent)] if parent.is_dir() else []
    if parent == Path():
        siblings += built_in()
    # Only a close name helps the user; a list of the whole folder does not.
    close = close_names(os.fspath(path), siblings)
    hint = did_you_mean(os.fspath(path), close) if close else ""
    return DataError(f"there is nothing at {shown}", printable(hint))


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in islice(folder.iterdir(), 10_000)]
    except OSError:
        return []
