"""Where decoded sets are kept, and what identifies one.

    <cache>/sets/<key>/   one set: its listing, its shards, and a manifest once it is complete
    <cache>/new/          listings that no set was made of yet
    <cache>/ranges/       which values ``--range auto`` has found, see ``ganzfeld.data.ingest.auto_range``
    <cache>/lab/          short trainings of the lab, see ``ganzfeld.lab.live``

The key is a digest of the listing, of the framing and of the version of the rules of decoding: the same
images are found again wherever their folder is moved to, by every run, and never confused with others.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_origin

import platformdirs

from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.file_list import FileList, is_whole
from ganzfeld.durable import make_folder, refused, write_bytes
from ganzfeld.errors import ResourceError
from ganzfeld.lock import locked
from ganzfeld.regular import read_regular
from ganzfeld.strict_json import strict_json

FORMAT = 10
"""Goes up when the layout of a set or any rule of decoding changes; older sets are then no longer found."""

LOCK = "lock"
"""The file of a set that is locked by whoever makes or removes it."""
LARGEST_MANIFEST = 2**28
_KEY = re.compile("[0-9a-f]{64}")
_BEGINNING = "ganzfeld-"
"""Of the names of temporary folders, by which those that were left behind are known."""

_MANIFEST = "manifest.json"
_BEGUN = "begun"


@dataclass(slots=True)
class Manifest:
    """What a complete set holds; ``shards`` counts their rows, ``seen_at`` is where it was read from."""

    kind: str
    name: str
    seen_at: list[str]
    framing: dict[str, Any]
    num_entries: int
    num_pictures: int
    channels: int
    shards: list[int]
    content_hash: str
    listing_digest: str
    class_names: list[str] = field(default_factory=list)
    ignored: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    label_problems: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    credit: str = ""
    version: str = ""
    decode_seconds: float = 0.0
    format: int = FORMAT


def cache_root(given: str | os.PathLike[str] | None = None) -> Path:
    """The folder of the cache: the one given, or that in GANZFELD_CACHE, or the system's place for caches."""
    chosen = given or os.environ.get("GANZFELD_CACHE")
    try:
        return (
            Path(chosen or platformdirs.user_cache_dir("ganzfeld", appauthor=False)).expanduser().absolute()
        )
    except RuntimeError:
        hint = "Say where with the environment variable GANZFELD_CACHE."
        raise ResourceError("there is no place for the cache: no home folder is known", hint) from None


def set_key(
    listing: FileList, kind: str, version: str, framing: Preprocessing, labels_sha256: str = ""
) -> str:
    """What identifies a set, as 64 hexadecimal digits; ``labels_sha256`` is of the table given beside it."""
    identity = [FORMAT, listing.digest, kind, version, framing.as_json()]
    identity += [labels_sha256] if labels_sha256 else []
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def is_ours(folder: Path) -> bool:
    """Whether a folder in that of the sets, or of the lab, was made here: no link, and named by a key.

    Whoever names a folder of their own as that of the cache keeps what else is in it.
    """
    return bool(_KEY.fullmatch(folder.name)) and not folder.is_symlink() and folder.is_dir()


def require_no_link(folder: Path) -> None:
    """Raise ``ResourceError`` if a folder of the cache is a link, as nothing is written through one."""
    if folder.is_symlink():
        raise ResourceError(
            f"{folder} in the cache is a link, and nothing is written through it", "Remove the link."
        )


@contextlib.contextmanager
def new_folder(root: Path) -> Iterator[Path]:
    """A temporary folder inside the cache, gone afterwards unless it was moved away."""
    make_folder(root / "new")
    try:
        folder = Path(tempfile.mkdtemp(prefix=_BEGINNING, dir=root / "new"))
    except OSError as problem:
        raise refused(problem, root) from problem
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _forget_old(root / "new")


@contextlib.contextmanager
def claimed(folder: Path, set_folder: Path, waiting: Callable[[], object]) -> Iterator[bool]:
    """Makes ``folder`` the folder of a set, or waits for whoever makes that set; holds its lock meanwhile.

    Gives False where the set was pruned in that time: then nothing is held, and the caller tries again. A
    folder is locked before it gets its place, so that nobody can remove it in between.
    """
    with contextlib.ExitStack() as held:
        held.enter_context(locked(folder / LOCK, waiting))
        if _adopted(folder, set_folder):
            yield True
            return
    with alone_in(set_folder, waiting) as is_there:
        yield is_there


@contextlib.contextmanager
def alone_in(folder: Path, waiting: Callable[[], object]) -> Iterator[bool]:
    """Holds the lock of a folder of the cache; gives False where it was pruned in the meantime."""
    require_no_link(folder)
    with contextlib.ExitStack() as held:
        try:
            is_still_there = held.enter_context(locked(folder / LOCK, waiting))
        except ResourceError:
            if folder.is_dir():
                raise
            is_still_there = None
        yield is_still_there is not None and is_still_there()


def _adopted(folder: Path, set_folder: Path) -> bool:
    """Whether the folder has become that of the set; if there is one, both hold the same listing."""
    make_folder(set_folder.parent)
    if set_folder.is_dir() and not is_whole(set_folder):
        shutil.rmtree(set_folder, ignore_errors=True)
    try:
        folder.rename(set_folder)
    except OSError as problem:
        if problem.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES) and not set_folder.is_dir():
            raise refused(problem, set_folder) from problem
        return False
    return True


def discard(root: Path, folder: Path) -> bool:
    """Removes a folder of the cache, all at once for whoever looks; only for the one that holds its lock.

    What others have mapped into memory stays theirs (POSIX). Gives False where the system does not let it go.
    """
    try:
        make_folder(root / "new")
        gone = Path(tempfile.mkdtemp(prefix=_BEGINNING, dir=root / "new"))
        folder.replace(gone)
    except OSError:
        return False
    shutil.rmtree(gone, ignore_errors=True)
    return True


def read_manifest(set_folder: Path) -> Manifest | None:
    """The manifest of a set; None if the set is not complete or was made by another version."""
    try:
        content = strict_json(read_regular(set_folder / _MANIFEST, LARGEST_MANIFEST), undecodable=True)
        manifest = Manifest(**content)
        return manifest if manifest.format == FORMAT and _is_sound(manifest) else None
    except (OSError, ValueError, TypeError):
        return None


def _is_sound(manifest: Manifest) -> bool:
    """Whether everything is of the type that it should be."""
    for each in fields(Manifest):
        value, kind = getattr(manifest, each.name), get_origin(each.type) or each.type
        if type(value) is not kind and not (kind is float and type(value) is int):
            return False
    texts, counts = (manifest.seen_at, manifest.class_names, manifest.notes), manifest.shards
    return (
        all(isinstance(text, str) for each in texts for text in each)
        and all(type(count) is int and count >= 0 for count in (*counts, *manifest.ignored.values()))
        and min(manifest.num_entries, manifest.num_pictures) >= 0
        and manifest.channels in (1, 3)
        and manifest.framing.keys() >= {"width", "height"}
    )


def write_manifest(set_folder: Path, manifest: Manifest) -> None:
    """Marks a set as complete. Paths may hold undecodable bytes, hence plain ASCII."""
    write_bytes(set_folder / _MANIFEST, json.dumps(asdict(manifest), indent=1).encode("ascii"))


def mark_used(set_folder: Path, manifest: Manifest, path: str) -> None:
    """Remembers when and from where a set was last used. Not being able to is no reason to stop."""
    with contextlib.suppress(Exception):
        if path not in manifest.seen_at:
            manifest.seen_at.append(path)
            write_manifest(set_folder, manifest)
        if not (set_folder / _MANIFEST).is_symlink():
            os.utime(set_folder / _MANIFEST)


def mark_begun(set_folder: Path, path: str) -> None:
    """Remembers from where a set is being made, for a list of what was left unfinished."""
    with contextlib.suppress(ResourceError):
        write_bytes(set_folder / _BEGUN, path.encode("utf-8", "surrogatepass"))


def begun_at(set_folder: Path) -> str:
    """From where a set was made, or ``""``."""
    try:
        return (set_folder / _BEGUN).read_bytes().decode("utf-8", "surrogatepass")
    except (OSError, ValueError):
        return ""


def last_used(set_folder: Path) -> float:
    """When a set was last opened, in seconds since 1970; 0 for one that is gone."""
    found = []
    for path in (set_folder / _MANIFEST, set_folder):
        with contextlib.suppress(FileNotFoundError):
            found.append(path.stat().st_mtime)
    return max(found, default=0.0)


def disk_bytes(folder: Path) -> int:
    """Bytes of the files in a folder, but for those that go at this moment."""
    total = 0
    with contextlib.suppress(FileNotFoundError):
        for file in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                total += file.stat().st_size
    return total


def drop_manifest(set_folder: Path) -> None:
    """Makes a set incomplete, because a file of it turned out to be damaged: it will be decoded again."""
    with contextlib.suppress(FileNotFoundError):
        (set_folder / _MANIFEST).unlink()


def _is_temporary(folder: Path) -> bool:
    """Whether a folder has the name that ``tempfile`` makes of our beginning."""
    return re.fullmatch(f"{_BEGINNING}[a-z0-9_]{{8}}", folder.name, re.ASCII) is not None


def _forget_old(new: Path) -> None:
    """Removes what processes that were killed left there more than a day ago."""
    with contextlib.suppress(OSError):
        for folder in filter(_is_temporary, new.iterdir()):
            if not folder.is_symlink() and time.time() - folder.stat().st_mtime > 86_400:
                shutil.rmtree(folder, ignore_errors=True)
