"""What an image source is: something that lists its images and reads one of them at a time.

An entry of ``data/sources/`` defines one final class named ``Images`` over this one, and a function
``recognises(path)``; see the docstring of that folder.
"""

import hashlib
import os
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganzfeld.data.classes import beside_folders, classes_by_folder
from ganzfeld.data.decoding.decode import FORMATS, Decoded, UnusableImage
from ganzfeld.data.decoding.extensions import EXTENSIONS
from ganzfeld.data.decoding.frames import frames_wanted, num_frames
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.labels.labelling import Labelling
from ganzfeld.data.labels.table import LabelTable
from ganzfeld.option_values import FIRST_FRAME
from ganzfeld.printable import printable


class Entry(NamedTuple):
    """One image of a source, before anything of it is read.

    ``name`` is unique to the eye only; ``locator`` is whatever number the source needs to find it (an offset,
    a row). ``size`` (bytes) and ``mtime_ns`` tell whether it changed. A ``flaw`` says why it cannot be read
    at all. ``frame`` is which of several frames of a file it is, -1 where the file is read as one image.
    """

    name: str
    size: int
    mtime_ns: int
    locator: int = 0
    flaw: str = ""
    frame: int = -1

    @property
    def shown(self) -> str:
        """The name for people: one of several frames has its number behind it."""
        return self.name if self.frame < 0 else f"{self.name}[{self.frame}]"


class Source(ABC):
    """Images somewhere. Creating one reads next to nothing; it is created anew in every worker process.

    ``path`` is what the user gave. Sources never write, follow nothing out of an archive, and hold no list of
    their images: ``entries`` streams.
    """

    HAS_FILES = True
    """Whether entries are files with names of their own, by which a table can give them labels."""

    credit = ""
    """Whom the licence of the images asks to name wherever they are shown."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ignored: Counter[str] = Counter()
        """How many files were passed over, by extension, once ``entries`` has run."""
        self.runs: list[str] = []
        """The run folders in it that were left out, once ``entries`` has run."""
        self.notes: list[str] = []
        """What the user should be told about how the source was read."""
        self.label_problems: list[str] = []
        """Why labels that were found are not taken, in whole or in part, once ``classes`` has run."""
        self.table: LabelTable | None = None
        """Where labels come from that are given beside the images."""
        self.labelling: Labelling | None = None
        """The labels of that table, once they are matched with the entries."""
        self.facts: dict[str, Any] = {}
        self.files = ExitStack()
        """The files it holds open; ``with source:`` closes them at its end."""

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_: object) -> None:
        self.files.close()

    @property
    def name(self) -> str:
        """Short name, safe in file names: that of the folder, or of the file up to its first dot."""
        name = self.path.resolve().name
        return safe_name(name if self.path.is_dir() else name.split(".")[0])

    @property
    def place(self) -> str:
        """Where it is, as one text that stays the same: its absolute path."""
        return str(self.path.absolute())

    @property
    def version(self) -> str:
        """What else than the entries images or classes depend on, such as the program that draws them."""
        return ""

    @abstractmethod
    def entries(self) -> Iterator[Entry]:
        """The images in their fixed order; raises ``DataError`` if there can be none."""

    @abstractmethod
    def read(self, entry: Entry) -> bytes | np.ndarray:
        """What is stored for one image, undecoded; raises ``UnusableImage`` or ``OSError``."""

    @abstractmethod
    def decode(self, raw: bytes | np.ndarray, framing: Preprocessing, frame: int = 0) -> Decoded:
        """Brings what ``read`` gave, or a later frame of it, to the training size; ``UnusableImage``."""

    def looked_for(self) -> str:
        """What would have counted as an image here, and what was found instead."""
        found = [
            f"{count} {printable(kind) or 'without extension'}" for kind, count in self.ignored.most_common(5)
        ]
        sought = f"files ending in {' '.join(sorted(EXTENSIONS))}"
        return f"{sought}; found {', '.join(found)}" if found else sought

    def classes(self, names: Iterable[str]) -> Iterable[str] | None:
        """The class of every entry in order, ``""`` for none; None without classes.

        ``names`` are those of all entries, ``""`` for the unusable ones; it can be gone through many times.
        """
        return None

    def classes_by_folder(self, names: Iterable[str]) -> Iterable[str] | None:
        """The sub-folders as classes; None where they are none, and a word where a few images are why."""
        found = classes_by_folder(names)
        problem = beside_folders(names) if found is None else ""
        self.label_problems += [problem] if problem else []
        return found

    def prepare(self, framing: Preprocessing) -> dict[str, Any]:
        """Facts about the whole that ``decode`` relies on and that take time to find, as plain data.

        Found once before decoding; every worker is told them through ``facts``.
        """
        return {}


def frames_of(source: Source, frames: str) -> Iterator[Entry]:
    """The entries of a source; of files that hold several frames, one for each frame that is to be read.

    Unless it is the first one that is wanted, this reads every file.
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
        return 1  # what is wrong with it is found when it is decoded
    return num_frames(raw, FORMATS) if isinstance(raw, bytes) else 1


class EntryReader:
    """Reads and hashes entries of a source; a file is read once for all its frames that follow each other."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._last: tuple[Entry, bytes | np.ndarray, Any] | None = None

    def read(self, entry: Entry) -> tuple[bytes | np.ndarray, bytes]:
        """What is stored for an entry and its SHA-256, which differs between frames of one file.

        Raises what ``Source.read`` raises.
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
    """Where the entry of that name in the source at ``path`` is, as the user would name it."""
    # Not joined as paths are: in a hostile archive, a name may begin at the root.
    return f"{path}{name}" if name.startswith("[") else f"{path}{os.sep}{name}"


def safe_name(text: str) -> str:
    """``text`` with everything but letters, digits, dots and dashes replaced, at most 60 characters."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")[:60] or "pictures"


def encodable(name: str) -> str:
    """A file name for UTF-8 text such as JSON: bytes that are none appear as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def named(path: str) -> dict[str, str]:
    """A path for JSON: as text, and where that shows escapes, which another name may spell out, as bytes."""
    shown = encodable(path)
    return {"path": shown} if shown == path else {"path": shown, "path_hex": _path_bytes(path).hex()}


def _path_bytes(path: str) -> bytes:
    """The bytes of a path; what only a name inside a hostile archive can hold is encoded as it stands."""
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:
        return path.encode("utf-8", "surrogatepass")
