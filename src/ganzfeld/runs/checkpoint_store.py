"""The checkpoints of a run on disk: one file each, complete or absent, with a checksum beside it.

``checkpoints/<images seen>.safetensors`` holds the tensors and, in its header, the card; the ``.sha256`` file
beside it is readable by ``sha256sum --check``. The checksum is written first, so a checkpoint is complete as
soon as its file has its name. Nothing is unpickled.
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
KEPT_PER_DOUBLING = 2

_NUMBER = re.compile(r"[0-9]{12}|[1-9][0-9]{12,}", re.ASCII)
"""The stem of a checkpoint's file name, as ``CheckpointStore.path`` makes it."""
_LARGEST_CARD = 1_000_000
_LARGEST_CHECKSUM = 1_000
_PIECE = 2**20

_Read = TypeVar("_Read")


class CheckpointStore:
    """The checkpoints in one folder, each identified by the number of images seen."""

    def __init__(self, folder: Path | OwnFolder) -> None:
        self._own = folder if isinstance(folder, OwnFolder) else OwnFolder(folder.parent) / folder.name
        self.folder = self._own.path

    def path(self, images_seen: int) -> Path:
        """Return the path that the checkpoint at ``images_seen`` has or would have."""
        return self.folder / f"{images_seen:012d}.safetensors"

    def all(self) -> list[int]:
        """Return the numbers of images seen at which there is a checkpoint, ascending."""
        files = (path for path in self.folder.glob("*.safetensors") if is_regular(path))
        return sorted(int(path.stem) for path in files if _NUMBER.fullmatch(path.stem))

    def write(self, checkpoint: Checkpoint, near: int | None = None) -> Path:
        """Write a checkpoint, read it back, and only then delete older ones that are no longer needed.

        The checkpoint nearest to ``near`` images is always kept. A checkpoint that already exists and is
        whole is not written again. Files that Ganzfeld did not write are never deleted or replaced. Raises
        ``ResourceError`` if the checkpoint cannot be written or read back, or if such a file has its name;
        the older checkpoints are then still there.
        """
        path = self.path(checkpoint.images_seen)
        self._require_replaceable(path)
        try:
            if not self._is_whole(path):
                self._put(path, checkpoint)
            with contextlib.suppress(ResourceError):  # an extra checkpoint is harmless; the next save retries
                self._delete_old(near)
        except OSError as error:
            raise refused(error, path) from error
        return path

    def _put(self, path: Path, checkpoint: Checkpoint) -> None:
        tensors = {name: tensor.cpu() for name, tensor in checkpoint.tensors.items()}
        content = safetensors.torch.save(tensors, {"card": checkpoint.card.model_dump_json()})
        checksum = _checksum_path(path)
        try:
            line = f"{hashlib.sha256(content).hexdigest()}  {path.name}\n"
            self._own.write_bytes(checksum.name, line.encode())
            self._own.write_bytes(path.name, content)
        finally:
            if not path.exists():
                with contextlib.suppress(GanzfeldError):
                    self._own.remove(checksum.name)
        if not self._is_whole(path):
            self._own.require()
            raise ResourceError(f"{path} was written, but its content on disk differs", "Check the disk.")

    def read(self, images_seen: int) -> Checkpoint:
        """Read the checkpoint at ``images_seen``. Raises ``DamagedError`` if it fails its checksum."""
        path = self.path(images_seen)
        require_openable(path)
        try:
            if _stored_digest(path) != _digest_of(path):
                raise _damaged(path, "its content does not match its checksum")
            with safe_open(path, framework="pt") as file:
                card = _card_of(file, path, images_seen)
                # Cloned, since the tensors from safetensors are the file itself, mapped into memory.
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise _damaged(path, str(error)) from None
        return Checkpoint(card, tensors)

    def read_card(self, images_seen: int) -> CheckpointCard:
        """Read only the header of the checkpoint at ``images_seen``; its tensors are not checked or loaded.

        Raises ``DamagedError`` if the checksum file is missing, if the file's length differs from the length
        in its header, or if the card cannot be read.
        """
        path = self.path(images_seen)
        require_openable(path)
        try:
            _stored_digest(path)
            with safe_open(path, framework="numpy") as file:  # raises if the file has the wrong length
                return _card_of(file, path, images_seen)
        except (SafetensorError, OSError) as error:
            raise _damaged(path, str(error)) from None

    def newest(self, passed_over: Callable[[str], object] = discard) -> Checkpoint | None:
        """Read the newest checkpoint that is not damaged; return None if there are no checkpoints.

        ``passed_over`` is called with a message for each damaged checkpoint on the way. Raises
        ``DamagedError`` if all checkpoints are damaged.
        """
        return self._newest(self.read, passed_over)

    def newest_card(self) -> CheckpointCard | None:
        """Read the card of the newest checkpoint with a readable card; None if there are no checkpoints.

        Raises ``DamagedError`` if no card can be read.
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
                "Try the model of the run with ganzfeld sample, which may still work; or train again.",
            )
        return None

    def tidy(self) -> None:
        """Delete unfinished files of a killed process. Only the writer of the run may call this."""
        self._own.remove_unfinished(is_written)
        for checksum in self.folder.glob("*.sha256"):
            if not checksum.with_suffix(".safetensors").exists() and _is_own_checksum(checksum):
                self._own.remove(checksum.name)

    def _is_whole(self, path: Path) -> bool:
        try:
            return path.is_file() and _stored_digest(path) == _digest_of(path)
        except (DamagedError, OSError):
            return False

    def _require_replaceable(self, path: Path) -> None:
        """Raise ``ResourceError`` if a file that Ganzfeld did not write has the name of a checkpoint."""
        paths = (path, _checksum_path(path))
        in_the_way = [existing for existing in paths if is_regular(existing) and not existing.is_symlink()]
        if in_the_way and not _is_own_checkpoint(path):
            raise ResourceError(
                f"{printable(str(in_the_way[0]))} has the name of a checkpoint but was not written by"
                " ganzfeld, so it is not overwritten",
                "Move it out of the run folder.",
            )

    def _delete_old(self, near: int | None) -> None:
        own = [images_seen for images_seen in self.all() if _is_own_checkpoint(self.path(images_seen))]
        for images_seen in set(own) - checkpoints_to_keep(own, near):
            path = self.path(images_seen)
            self._own.remove(path.name)
            self._own.remove(_checksum_path(path).name)


def checkpoints_to_keep(images_seen: list[int], near: int | None = None) -> set[int]:
    """Return which of the checkpoints at these numbers of images (ascending) are kept.

    These are the newest ones, the one nearest to ``near`` (where the best model was), and, of the older ones,
    the last in every half doubling of the images seen. So a run of any length can be forked within a factor
    of 1.4 of any moment, and the number of checkpoints grows as a logarithm.
    """
    bands = {math.floor(KEPT_PER_DOUBLING * math.log2(number)): number for number in images_seen if number}
    nearest = [] if near is None else sorted(images_seen, key=lambda number: abs(number - near))[:1]
    return {*images_seen[-NEWEST_KEPT:], *bands.values(), *nearest}


def _checksum_path(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _is_own_checkpoint(path: Path) -> bool:
    """Check whether Ganzfeld wrote the file, which may be damaged, as a checkpoint.

    The header shows this; if it cannot be read, the checksum file does.
    """
    if not is_regular(path):  # reading a pipe would never end
        return _is_own_checksum(_checksum_path(path))
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("card")
        if text is None:
            return False
        return _read_card(text, path).position.images_seen == int(path.stem)
    except (SafetensorError, OSError, RuntimeError, DamagedError):  # RuntimeError: torch cannot map the file
        return _is_own_checksum(_checksum_path(path))


def _is_own_checksum(checksum: Path) -> bool:
    """Check whether a file has the name and the format of Ganzfeld's checksum files."""
    name = f"{checksum.stem}.safetensors"
    line = re.compile(rf"[0-9a-f]{{64}}  {re.escape(name)}\n".encode())
    try:
        return is_written(name) and line.fullmatch(read_regular(checksum, _LARGEST_CHECKSUM)) is not None
    except (OSError, GanzfeldError):
        return False


def _stored_digest(path: Path) -> str:
    """Return the SHA-256 in the checksum file of a checkpoint."""
    checksum = _checksum_path(path)
    if not (path.is_file() and checksum.is_file()):  # reading a pipe would never end
        raise _damaged(path, f"it or its checksum {checksum.name} is missing")
    with open_regular(checksum) as file:
        words = file.read(_PIECE).split()
    return words[0].decode("ascii", "replace") if words else ""


def _digest_of(path: Path) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _card_of(file: Any, path: Path, images_seen: int) -> CheckpointCard:
    """Read the card of an open checkpoint, and check that it is the one at ``images_seen``."""
    card = _read_card((file.metadata() or {}).get("card", ""), path)
    if card.position.images_seen != images_seen:
        raise _damaged(path, f"its card says {card.position.images_seen:,} images")
    return card


def _read_card(text: str, path: Path) -> CheckpointCard:
    if not 0 < len(text) <= _LARGEST_CARD:
        raise _damaged(path, "it has no card")
    try:
        return CheckpointCard.model_validate(strict_json(text))
    except (ValueError, GanzfeldError) as error:
        raise _damaged(path, f"its card cannot be read ({str(error).splitlines()[0]})") from None


def _damaged(path: Path, why: str) -> DamagedError:
    return DamagedError(f"{path} is damaged: {why}", "An older checkpoint of the run may be intact.")
