"""The journal of a run: one JSON object a line, appended while it trains."""

import contextlib
import json
import math
from pathlib import Path
from typing import Any

from ganzfeld.durable import refused
from ganzfeld.errors import DamagedError
from ganzfeld.own_folder import OwnFolder

JOURNAL = "journal.jsonl"


class Journal:
    """``journal.jsonl`` of a run folder, opened for appending; use as a context manager."""

    def __init__(self, folder: OwnFolder) -> None:
        self.path = folder.path / JOURNAL
        self._folder = folder
        self._file = folder.appending(JOURNAL)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # a full disk: the line that could not be written was told before
            self._file.close()

    def write(self, entry: dict[str, Any]) -> None:
        """Append one line and hand it to the system, so that other programs can follow.

        A number that is not finite becomes null: JSON has no word for it. Where somebody has put another file
        in the place of the journal, or deleted it, the line goes where readers look for it.
        """
        if not self._folder.is_still(JOURNAL, self._file):
            self._file.close()
            self._file = self._folder.appending(JOURNAL)
        try:
            self._file.write(json.dumps(_finite(entry)) + "\n")
            self._file.flush()
        except OSError as error:
            raise refused(error, self.path) from error


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def cut_journal(folder: OwnFolder, images_seen: int) -> None:
    """Leave out what was written after that many pictures: a training that goes back tells it anew."""
    entries = [entry for entry in read_journal(folder.path / JOURNAL) if entry["images_seen"] <= images_seen]
    folder.write_bytes(JOURNAL, "".join(json.dumps(entry) + "\n" for entry in entries).encode())


def read_journal(path: Path) -> list[dict[str, Any]]:
    """All entries of a journal. A last line cut short by a crash is left out.

    Raises ``DamagedError`` for any other line that is no JSON object.
    """
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    entries = []
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            entry = None
        numbers = (entry.get("images_seen"), entry.get("step", 0)) if isinstance(entry, dict) else ("",)
        if all(isinstance(number, int) for number in numbers):
            entries.append(entry)
        elif number < len(lines):
            raise DamagedError(f"line {number} of {path} is not a journal entry", "Remove that line.")
    return entries
