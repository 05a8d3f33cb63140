"""Measure the cost of a diagnosis during training, by the length of the journal, on this machine.

    python tools/cost_of_a_look.py [LINES ...]

Writes journals of the given numbers of lines (default: 1,000 and 1,000,000), one line per second, with
readings as often as in a run: at least two seconds, and at least a hundredth of the run's age, apart. Then
lines with readings are added one at a time, with a diagnosis after each. Prints the size of the journal, the
median processor time of a diagnosis that reads only the new lines, and that of the first diagnosis, which
reads the whole journal.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ganzfeld.health import RunEvidence, diagnose
from ganzfeld.health.limits import limits
from ganzfeld.own_folder import OwnFolder
from ganzfeld.recipes import resolve
from ganzfeld.runs.journal import JOURNAL, Journal
from ganzfeld.runs.journal_reader import JournalReader

LOOKS = 20
BATCH = 64
READ = ("drift", "weight_size_generator", "weight_size_discriminator", "update_ratio_generator", "saturated")


def main() -> None:
    """Print one line per length."""
    for num in map(int, sys.argv[1:] or ("1000", "1000000")):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / JOURNAL
            with path.open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(entry) + "\n" for entry in entries(num))
            size = path.stat().st_size
            reader = JournalReader(path)
            first_s = seconds_of(reader)
            looks_s = []
            with Journal(OwnFolder(path.parent)) as journal:
                for step in range(num + 1, num + LOOKS + 1):
                    journal.write(entry_of(step) | {"health": health_of(step)})
                    looks_s.append(seconds_of(reader))
        print(
            f"{num:,} lines, {size / 2**20:.1f} MiB: a diagnosis {1000 * statistics.median(looks_s):.1f} ms,"
            f" the first {first_s:.2f} s"
        )


def seconds_of(reader: JournalReader) -> float:
    """Return the processor time of a diagnosis: reading the new lines, and the verdict."""
    begun = time.process_time()
    diagnose(RunEvidence(reader.read(), RECIPE, num_pictures=5000))
    return time.process_time() - begun


def entries(num: int) -> Iterator[dict[str, Any]]:
    """Yield the journal entries of a run: one per second."""
    looked_at = 0
    for second in range(1, num + 1):
        entry = entry_of(second)
        if second - looked_at >= max(2, second / 100):
            looked_at = second
            entry["health"] = health_of(second)
        yield entry


def entry_of(second: int) -> dict[str, Any]:
    """Return a journal entry without readings."""
    losses = {f"{name}_{side}": 0.7 for name in ("loss", "logit") for side in ("generator", "discriminator")}
    return {"step": second, "images_seen": BATCH * second, "seconds": float(second), "rate": 1.0} | losses


def health_of(second: int) -> dict[str, float]:
    """Return all readings, with values in the middle of the ranges of healthy runs."""
    return dict.fromkeys((*limits(), *READ), 0.4 + 0.1 * (second % 7))


RECIPE = resolve("modern").model_dump(mode="json")

if __name__ == "__main__":
    main()
