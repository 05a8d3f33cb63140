"""The checkpoints of a run on disk: one file each, whole or not there, with a checksum beside it.

``checkpoints/<images seen>.safetensors`` holds the numbers and, in its header, the card; ``.sha256`` beside
it is what ``sha256sum --check`` reads. The checksum is written first, so that a checkpoint exists from the
moment at which it gets its name. Nothing is unpickled.
"""

import contextlib
import hashlib
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
from safetensors import SafetensorError, safe_open

from ganzfeld.durable import refused
from ganzfeld.errors import DamagedError, GanzfeldError, ResourceError
from ganzfeld.model.files import require_openable
from ganzfeld.own_folder import OwnFolder
from ganzfeld.printable import printable
from ganzfeld.progress import discard
from ganzfeld.regular import is_regular, open_regular, read_regular
from ganzfeld.run_layout import is_written
from ganzfeld.runs.checkpoint import Checkpoint, CheckpointCard
from ganzfeld.strict_json import strict_json

NEWEST_KEPT = 2
KEPT_A_DOUBLING = 2

_NUMBER = re.compile(r"[0-9]{12}|[1-9][0-9]{12,}", re.ASCII)
"""The name of a checkpoint, as ``CheckpointStore.path`` gives it."""
_LARGEST_CARD = 1_000_000
_LARGEST_CHECKSUM = 1_000
_PIECE = 2**20

_Read = TypeVar("_Read")


class CheckpointStore:
    """The checkpoints in one folder, each known by the number of images seen."""

    def __init__(self, folder: Path | OwnFolder) -> None:
        self._own = folder if isinstance(folder, OwnFolder) else OwnFolder(folder.parent) / folder.name
        self.folder = self._own.path

    def path(self, images_seen: int) -> Path:
        """Where the checkpoint at that number is, or would be."""
        return self.folder / f"{images_seen:012d}.safetensors"

    def all(self) -> list[int]:
        """The numbers of images seen at which there is a checkpoint, oldest first."""
        files = (path for path in self.folder.glob("*.safetensors") if is_regular(path))
        return sorted(int(path.stem) for path in files if _NUMBER.fullmatch(path.stem))

    def write(self, checkpoint: Checkpoint, near: int | None = None) -> Path:
        """Write a checkpoint, read it back, and only then let go of older ones that are no longer needed.

        The one nearest to ``near`` images is always needed. One that is there and whole is left alone.
        Files that were not written here are never deleted or replaced. Raises ``ResourceError`` if it cannot
        be written or read back, or if such a file has its name; what was there before is then still there.
        """
        path = self.path(checkpoint.images_seen)
        self._require_replaceable(path)
        try:
            if not self._is_whole(path):
                self._put(path, checkpoint)
            with contextlib.suppress(ResourceError):  # one too many does no harm; the next save tries again
                self._thin(near)
        except OSError as error:
            raise refused(error, path) from error
        return path

    def _put(self, path: Path, checkpoint: Checkpoint) -> None:
        tensors = {name: tensor.cpu() for name, tensor in checkpoint.tensors.items()}
        content = safetensors.torch.save(tensors, {"card": checkpoint.card.model_dump_json()})
        checksum = _checksum_path(path)
        try:
            said = f"{hashlib.sha256(content).hexdigest()}  {path.name}\n"
            self._own.write_bytes(checksum.name, said.encode())
            self._own.write_bytes(path.name, content)
        finally:
            if not path.exists():
                with contextlib.suppress(GanzfeldError):
                    self._own.remove(checksum.name)
        if not self._is_whole(path):
            self._own.require()
            raise ResourceError(f"{path} was written but reads back differently", "Check the disk.")

    def read(self, images_seen: int) -> Checkpoint:
        """The checkpoint at that number. Raises ``DamagedError`` if it is not what was once written."""
        path = self.path(images_seen)
        require_openable(path)
        try:
            said, found = _said_checksum(path), _digest_of(path)
            if said != found:
                raise _damaged(path, "its content does not match its checksum")
            with safe_open(path, framework="pt") as file:
                card = _card_of(file, path, images_seen)
                # Copies, since what safetensors gives is the file itself, mapped into memory.
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise _damaged(path, str(error)) from None
        return Checkpoint(card, tensors)

    def read_card(self, images_seen: int) -> CheckpointCard:
        """Read only the header of the checkpoint at that number: its tensors are neither checked nor loaded.

        Raises ``DamagedError`` where it has no checksum, where its length is not what its header says, and
        where its card cannot be read.
        """
        path = self.path(images_seen)
        require_openable(path)
        try:
            _said_checksum(path)
            with safe_open(path, framework="numpy") as file:  # which refuses a file of another length
                return _card_of(file, path, images_seen)
        except (SafetensorError, OSError) as error:
            raise _damaged(path, str(error)) from None

    def newest(self, passed_over: Callable[[str], object] = discard) -> Checkpoint | None:
        """The newest checkpoint that is whole; ``passed_over`` hears of damaged ones. None if there is none.

        Raises ``DamagedError`` if there are some and all are damaged.
        """
        return self._newest(self.read, passed_over)

    def newest_card(self) -> CheckpointCard | None:
        """Read the card of the newest checkpoint that ``read_card`` can read. None if there is none.

        Raises ``DamagedError`` if there are some and none can be read.
        """
        return self._newest(self.read_card, discard)

    def _newest(self, read: Callable[[int], _Read], passed_over: Callable[[str], object]) -> _Read | None:
        for images_seen in reversed(self.all()):
            try:
                return read(images_seen)
            except DamagedError as error:
                passed_over(error.message)
        if self.all():
            raise DamagedError(
                f"none of the checkpoints in {self.folder} can be read",
                "The model of the run may still be good: see ganzfeld sample. Or train again.",
            )
        return None

    def tidy(self) -> None:
        """Remove what a process that was killed left behind. Only for the one writer of the run."""
        self._own.remove_unfinished(is_written)
        for checksum in self.folder.glob("*.sha256"):
            if not checksum.with_suffix(".safetensors").exists() and _is_ours(checksum):
                self._own.remove(checksum.name)

    def _is_whole(self, path: Path) -> bool:
        try:
            return path.is_file() and _said_checksum(path) == _digest_of(path)
        except (DamagedError, OSError):
            return False

    def _require_replaceable(self, path: Path) -> None:
        """Raise ``ResourceError`` where a file that was not written here has the name of a checkpoint."""
        checksum = _checksum_path(path)
        in_the_way = [each for each in (path, checksum) if is_regular(each) and not each.is_symlink()]
        if in_the_way and not _is_written_here(path):
            raise ResourceError(
                f"{printable(str(in_the_way[0]))} has the name of a checkpoint, was not written by ganzfeld,"
                " and is not overwritten",
                "Move it out of the run folder.",
            )

    def _thin(self, near: int | None) -> None:
        there = [images_seen for images_seen in self.all() if _is_written_here(self.path(images_seen))]
        for images_seen in set(there) - kept(there, near):
            path = self.path(images_seen)
            self._own.remove(path.name)
            self._own.remove(_checksum_path(path).name)


def kept(images_seen: list[int], near: int | None = None) -> set[int]:
    """Which of the checkpoints at these numbers (ascending) stay.

    The newest ones, the one nearest to ``near`` (where the best model was), and of the older ones the last in
    every half doubling of the images seen: however long a run is, one can go back to within a factor of 1.4
    of any moment, and the number grows as a logarithm.
    """
    bands = {math.floor(KEPT_A_DOUBLING * math.log2(number)): number for number in images_seen if number}
    nearest = [] if near is None else sorted(images_seen, key=lambda number: abs(number - near))[:1]
    return {*images_seen[-NEWEST_KEPT:], *bands.values(), *nearest}


def _checksum_path(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _is_written_here(path: Path) -> bool:
    """Whether the file of that name is a checkpoint written here, even a damaged one.

    Its header says so; where that cannot be read, its checksum does.
    """
    if not is_regular(path):  # a pipe would be read for ever
        return _is_ours(_checksum_path(path))
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("card")
        if text is None:
            return False
        return _read_card(text, path).position.images_seen == int(path.stem)
    except (SafetensorError, OSError, RuntimeError, DamagedError):  # torch maps the file, and refuses itself
        return _is_ours(_checksum_path(path))


def _is_ours(checksum: Path) -> bool:
    """Whether a checksum has the name and the form of those that are written here."""
    name = f"{checksum.stem}.safetensors"
    said = re.compile(rf"[0-9a-f]{{64}}  {re.escape(name)}\n".encode())
    try:
        return is_written(name) and said.fullmatch(read_regular(checksum, _LARGEST_CHECKSUM)) is not None
    except (OSError, GanzfeldError):
        return False


def _said_checksum(path: Path) -> str:
    checksum = _checksum_path(path)
    if not (path.is_file() and checksum.is_file()):  # a pipe would be read for ever
        raise _damaged(path, f"it or its checksum {checksum.name} is missing")
    with open_regular(checksum) as file:
        words = file.read(_PIECE).split()
    return words[0].decode("ascii", "replace") if words else ""


def _digest_of(path: Path) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _card_of(file: Any, path: Path, images_seen: int) -> CheckpointCard:
    """Read the card of an open checkpoint, which must be the one at that number."""
    card = _read_card((file.metadata() or {}).get("card", ""), path)
    if card.position.images_seen != images_seen:
        raise _damaged(path, f"it was taken at {card.position.images_seen:,} images")
    return card


def _read_card(text: str, path: Path) -> CheckpointCard:
    if not 0 < len(text) <= _LARGEST_CARD:
        raise _damaged(path, "it carries no card")
    try:
        return CheckpointCard.model_validate(strict_json(text))
    except (ValueError, GanzfeldError) as error:
        raise _damaged(path, f"its card cannot be read ({str(error).splitlines()[0]})") from None


def _damaged(path: Path, why: str) -> DamagedError:
    return DamagedError(f"{path} is damaged: {why}", "An older checkpoint of the run may be whole.")
