"""Keep the journals of the doctor's runs in the repository, so that its tables need no training.

    python tools/doctor_archive.py [--runs runs/doctor]

packs every finished run of the folder into ``doctor_archive.tar.xz`` beside this file, beside the runs that
it holds already. ``doctor_runs.train_all`` unpacks them before it trains what is missing. Numbers are stored
to six digits; images are not stored.
"""

import argparse
import io
import json
import tarfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ganzfeld.durable import make_folder, write_bytes

ARCHIVE = Path(__file__).with_name("doctor_archive.tar.xz")
KINDS = (".json", ".quality")
"""Suffixes of the files of a run: its journal, and the parts of its quality."""
DIGITS = 6


def main() -> None:
    """Pack the runs of a folder."""
    parser = argparse.ArgumentParser(description="Pack the doctor's runs into the repository.")
    parser.add_argument("--runs", type=Path, default=Path("runs/doctor"))
    options = parser.parse_args()
    num = pack(options.runs, ARCHIVE)
    print(f"{ARCHIVE} holds {num} runs in {ARCHIVE.stat().st_size / 1e6:.2f} MB")


def pack(folder: Path, archive: Path) -> int:
    """Write the runs of an archive and of a folder into the archive; return their number."""
    unpack(archive, folder)
    journals = sorted(folder.glob("*.json"))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz", preset=9) as tar:
        for suffix in KINDS:  # one kind after the other, since like compresses with like
            for path in sorted(
                path for journal in journals for path in folder.glob(f"{journal.stem}*{suffix}")
            ):
                content = json.dumps(rounded(json.loads(path.read_bytes())), separators=(",", ":")).encode()
                entry = tarfile.TarInfo(path.name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    write_bytes(archive, buffer.getvalue())
    return len(journals)


def unpack(archive: Path, folder: Path, runs: Collection[str] | None = None) -> None:
    """Write the files of an archive that a folder lacks; without an archive, do nothing.

    ``runs`` are the names of the wanted journals, without suffix; None: all.
    """
    if not archive.is_file():
        return
    make_folder(folder)
    with tarfile.open(archive, "r:xz") as tar:
        for entry in tar:
            path = folder / Path(entry.name).name
            content = tar.extractfile(entry)
            is_wanted = path.suffix in KINDS and (runs is None or path.name.split(".")[0] in runs)
            if content is not None and is_wanted and not path.is_file():
                write_bytes(path, content.read())


def rounded(value: Any) -> Any:
    """Round all numbers in plain data to ``DIGITS`` digits."""
    if isinstance(value, dict):
        return {name: rounded(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [rounded(entry) for entry in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
