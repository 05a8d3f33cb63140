"""The base class of image sources, which list their images and read them one at a time.

A module in ``data/sources/`` defines one subclass and a function ``recognises(path)``; see the
docstring of that package.
"""

import hashlib
import os
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ganzfeld.data.classes import beside_folders, classes_by_folder
from ganzfeld.data.decoding.decode import FORMATS, Decoded, UnusableImage, decode_file
from ganzfeld.data.decoding.extensions import EXTENSIONS, extension
from ganzfeld.data.decoding.frames import frames_wanted, num_frames
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.decoding.stored_array import facts_of_values, values_of_file
from ganzfeld.data.labels.labelling import Labelling
from ganzfeld.data.labels.table import LabelTable
from ganzfeld.option_values import FIRST_FRAME
from ganzfeld.printable import printable

MOST_EXTENSIONS = 1_000
"""Remembered by name; names are the user's, so their number is bounded."""


class IgnoredFiles(Counter[str]):
    """Numbers of files that are not images, by extension."""

    def add(self, name: str) -> None:
        """Count a file under its extension."""
        kind = extension(name)
        self[kind if kind in self or len(self) < MOST_EXTENSIONS else "other"] += 1


class Entry(NamedTuple):
    """One image of a source, before it is read.

    - ``name``: for people, not necessarily unique.
    - ``locator``: the number by which the source finds the image (an offset or a row).
    - ``size`` (bytes), ``mtime_ns``: show whether the image changed.
    - ``flaw``: why it cannot be read at all, or ``""``.
    - ``frame``: the frame of a file with several, or -1 if the file is read as one image.
    """

    name: str
    size: int
    mtime_ns: int
    locator: int = 0
    flaw: str = ""
    frame: int = -1

    @property
    def shown(self) -> str:
        """The name for people, followed by the number of the frame if the file has several."""
        return self.name if self.frame < 0 else f"{self.name}[{self.frame}]"


class Source(ABC):
    """A source of images. Creating one reads very little, since every worker process creates its own.

    ``path`` is what the user gave. Sources never write, never follow links out of an archive, and hold no
    list of their images: ``entries`` is a stream.
    """

    HAS_FILES = True
    """Whether entries are files with names, by which a table can give them labels."""

    KINDS: ClassVar[tuple[str, ...]] = ("image",)
    """What the source can be read as, entries of ``ganzfeld.data.kinds``; by default as the first one."""

    LEAVES_CHOICE: ClassVar[bool] = False
    """Whether the format does not say what the data are, so that the user must."""

    FORMAT: ClassVar[str] = ""
    """The short name of the format, at most eight letters, for data that are no images."""

    credit = ""
    """The attribution that the licence of the images requires wherever they are shown."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ignored = IgnoredFiles()
        """The number of files that are not images, by extension, once ``entries`` has run."""
        self.runs: list[str] = []
        """The run folders that were left out, once ``entries`` has run."""
        self.notes: list[str] = []
        """Notes for the user on how the source was read."""
        self.label_problems: list[str] = []
        """Why some or all labels are not used, once ``classes`` has run."""
        self.table: LabelTable | None = None
        """The table of labels that the user gave, if any."""
        self.labelling: Labelling | None = None
        """The labels of that table, once they are matched with the entries."""
        self.facts: dict[str, Any] = {}
        """The result of ``prepare``, which ``decode`` relies on."""
        self.files = ExitStack()
        """Holds the open files; ``with source:`` closes them."""

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_: object) -> None:
        self.files.close()

    @property
    def name(self) -> str:
        """A short name, safe in file names: that of the folder, or of the file up to its first dot."""
        name = self.path.resolve().name
        return safe_name(name if self.path.is_dir() else name.split(".")[0])

    @property
    def place(self) -> str:
        """A constant text that identifies where the source is: its absolute path."""
        return str(self.path.absolute())

    @property
    def version(self) -> str:
        """What images or classes depend on besides the entries, such as the program that draws them."""
        return ""

    @abstractmethod
    def entries(self) -> Iterator[Entry]:
        """Yield the images in their fixed order; raise ``DataError`` if the source cannot be read."""

    @abstractmethod
    def read(self, entry: Entry) -> bytes | np.ndarray:
        """Return what is stored for one image, undecoded; raise ``UnusableImage`` or ``OSError``."""

    def decode(self, raw: bytes | np.ndarray, framing: Preprocessing, frame: int = 0) -> Decoded:
        """Bring one frame of the result of ``read`` to the training size; raise ``UnusableImage``.

        Here the result is the content of an image file.
        """
        return decode_file(bytes(raw), framing, frame)

    def arrange(self, settings: Preprocessing) -> None:
        """Check that the source can be read with these settings, and set it up accordingly.

        Called before ``entries``, in every process. Raises ``UsageError`` or ``DataError``.
        """
        assert settings.kind in self.KINDS

    def values(self, raw: bytes | np.ndarray, settings: Preprocessing) -> np.ndarray:
        """Return the values of the result of ``read`` as stored: (*size, channels), or several such items.

        Only for kinds of data other than images. Here the result is the content of a file. Raises
        ``UnusableImage``, ``OSError``, and ``UsageError`` where nothing says what an axis means.
        """
        return values_of_file(bytes(raw), settings)

    def stored_size(self, entry: Entry, settings: Preprocessing) -> tuple[int, ...]:
        """Return the size of the values of an entry, without channels; empty if they cannot be read."""
        try:
            return self.values(self.read(entry), settings).shape[:-1]
        except (OSError, UnusableImage):
            return ()  # decoding will report what is wrong with it

    def looked_for(self) -> str:
        """Return what would have counted as an image here, and what was found instead."""
        others = [
            f"{count} {printable(kind) or 'without extension'}" for kind, count in self.ignored.most_common(5)
        ]
        expected = f"files ending in {' '.join(sorted(EXTENSIONS))}"
        return f"{expected}; found {', '.join(others)}" if others else expected

    def classes(self, names: Iterable[str]) -> Iterable[str] | None:
        """Return the class of every entry in order, ``""`` for no class; None without classes.

        ``names`` are those of all entries, ``""`` for unusable ones; they can be iterated over many times.
        """
        return None

    def classes_by_folder(self, names: Iterable[str]) -> Iterable[str] | None:
        """Return the sub-folders as classes; None if they are not, and record it if a few images are why."""
        classes = classes_by_folder(names)
        problem = beside_folders(names) if classes is None else ""
        self.label_problems += [problem] if problem else []
        return classes

    def prepare(self, framing: Preprocessing) -> dict[str, Any]:
        """Determine slow facts about the whole source that ``decode`` relies on, as plain data.

        Called once before decoding; every worker receives the result as ``facts``. The first file that can
        be read gives type and number of channels of data that are no images.
        """
        if framing.kind == "image":
            return {}
        ignored, runs = self.ignored.copy(), list(self.runs)
        facts = facts_of_values(np.dtype(np.float32), 1)
        for entry in self.entries():
            try:
                values = self.values(self.read(entry), framing)
            except (OSError, UnusableImage):
                continue
            facts = facts_of_values(values.dtype, values.shape[-1])
            break
        self.ignored, self.runs = ignored, runs  # they are counted by every pass over the entries
        return facts


def frames_of(source: Source, frames: str) -> Iterator[Entry]:
    """Yield the entries of a source, with one entry per frame to read for files of several frames.

    This reads every file, unless only the first frames are wanted.
    """
    for entry in source.entries():
        number = 1 if frames == FIRST_FRAME or entry.flaw else _num_frames(source, entry)
        if number == 1:
            yield entry
            continue
        for frame in frames_wanted(number, frames):
            yield entry._replace(frame=frame)


def _num_frames(source: Source, entry: Entry) -> int:
    try:
        raw = source.read(entry)
    except (OSError, UnusableImage):
        return 1  # decoding will report what is wrong with it
    return num_frames(raw, FORMATS) if isinstance(raw, bytes) else 1


class EntryReader:
    """Reads and hashes the entries of a source; consecutive frames of a file are read from it once."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._last: tuple[Entry, bytes | np.ndarray, Any] | None = None

    def read(self, entry: Entry) -> tuple[bytes | np.ndarray, bytes]:
        """Return what is stored for an entry and its SHA-256, which differs between frames of one file.

        Raises the same errors as ``Source.read``.
        """
        file = entry._replace(frame=0)
        if entry.frame <= 0 or self._last is None or self._last[0] != file:
            raw = self.source.read(entry)
            self._last = file, raw, hashlib.sha256(raw if isinstance(raw, bytes) else raw.tobytes())
        _, raw, digest = self._last
        if entry.frame > 0:
            digest = digest.copy()
            digest.update(f"frame {entry.frame}".encode())
        return raw, digest.digest()


def place_of(path: Path, name: str) -> str:
    """Return the path of an entry of the source at ``path``, as the user would write it."""
    # The parts are not joined as paths, since a name in a hostile archive may begin at the root.
    return f"{path}{name}" if name.startswith("[") else f"{path}{os.sep}{name}"


def safe_name(text: str) -> str:
    """Replace everything except letters, digits, dots and dashes in ``text``; keep at most 60 characters."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")[:60] or "pictures"


def encodable(name: str) -> str:
    """Make a file name encodable as UTF-8 text such as JSON; undecodable bytes become escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def named(path: str) -> dict[str, str]:
    """Return a path for JSON: as text, and also as bytes if the text has escapes and may be ambiguous."""
    text = encodable(path)
    return {"path": text} if text == path else {"path": text, "path_hex": _path_bytes(path).hex()}


def _path_bytes(path: str) -> bytes:
    """Return the bytes of a path; surrogates, possible in hostile archives, are encoded as they are."""
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:
        return path.encode("utf-8", "surrogatepass")
