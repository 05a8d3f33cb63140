"""Measure how much memory it takes to read a folder of very many images.

    python tools/memory_of_reading.py 250000 500000 1000000

For every number the tool makes that many different files (8x8 px) in a temporary folder, then decodes them,
opens the unchanged folder again and checks it, each in a process of its own. It prints the largest anonymous
resident memory (RssAnon of /proc/PID/status, sampled) of that process, of its largest worker and of all
together. Linux only. A million files take 4 GB in the temporary folder and some minutes.
"""

import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIDE_PX = 8
A_FOLDER = 1_000  # files in each sub-folder
SAMPLE_S = 0.02
_OPEN = f"import sys; from ganzfeld.data import open_images; open_images(sys.argv[1], ({SIDE_PX},) * 2)"
STEPS = {
    "decoded": ["-c", _OPEN],
    "opened again": ["-c", _OPEN],
    "checked": ["-m", "ganzfeld", "check", "--json", "--size", str(SIDE_PX)],
    "checked again": ["-m", "ganzfeld", "check", "--json", "--size", str(SIDE_PX)],
}


def make_files(folder: Path, number: int) -> None:
    """Write ``number`` small images, no two alike, into subfolders."""
    chance = random.Random(0)
    for index in range(number):
        place = folder / f"{index // A_FOLDER:05}"
        if index % A_FOLDER == 0:
            place.mkdir(parents=True)
        content = b"P6 %d %d 255\n" % (SIDE_PX, SIDE_PX) + chance.randbytes(3 * SIDE_PX**2)
        (place / f"{index:08}.ppm").write_bytes(content)


def measured(arguments: list[str], folder: Path, cache: Path) -> tuple[float, int, int, int]:
    """Run a process; return its seconds, and the peak KiB of it, of its largest worker and of all."""
    begun, own, worker, together = time.monotonic(), 0, 0, 0
    process = subprocess.Popen(
        [sys.executable, *arguments, str(folder)],
        env={**os.environ, "GANZFELD_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
    )
    while process.poll() is None:
        parent, workers = anonymous_kib(process.pid), [anonymous_kib(pid) for pid in children(process.pid)]
        own, worker = max(own, parent), max([worker, *workers])
        together = max(together, parent + sum(workers))
        time.sleep(SAMPLE_S)
    if process.returncode:
        sys.exit(f"{' '.join(arguments)} ended with {process.returncode}")
    return time.monotonic() - begun, own, worker, together


def children(pid: int) -> list[int]:
    """Return the ids of the processes that any thread of a process has started."""
    pids = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            pids += map(int, tasks.read_text().split())
    return pids


def anonymous_kib(pid: int) -> int:
    """Return RssAnon of a process in KiB; 0 once it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
    return 0


def main(numbers: list[int]) -> None:
    """Measure every number of files, and print one row of the table per step."""
    print("| files | step | seconds | MiB of the process | of the largest worker | of all at once |")
    print("|---|---|---|---|---|---|")
    for number in numbers:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "files"
            make_files(folder, number)
            for step, arguments in STEPS.items():
                seconds, *kib = measured(arguments, folder, Path(name) / "cache")
                shown = " | ".join(f"{each / 1024:.0f}" for each in kib)
                print(f"| {number:,} | {step} | {seconds:.1f} | {shown} |", flush=True)


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [100_000])
