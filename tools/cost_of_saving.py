"""Measure what saving costs a run, on this machine, for each recipe named (default: all).

    python tools/cost_of_saving.py [RECIPE ...]

Alternates steps on the built-in faces with and without a save in the background. Prints how long a snapshot
pauses training, and how much longer the steps take during a save, both also as a share of the 30 seconds
between two saves.
"""

import functools
import statistics
import sys
import tempfile
import time
from pathlib import Path

from ganzfeld.options import TrainOptions
from ganzfeld.recipes import recipes_of
from ganzfeld.runs.checkpoint_store import CheckpointStore
from ganzfeld.training.saver import Saver
from ganzfeld.training.setup import resolve_options
from ganzfeld.training.snapshot import capture

ROUNDS = 7
SPACING_S = 30.0


def main() -> None:
    """Print one line per recipe."""
    for name in sys.argv[1:] or recipes_of("image"):
        trainer = resolve_options(TrainOptions(recipe=name, images=1)).build()
        for _ in range(3):
            trainer.advance()
        held_up, extra = [], []
        with tempfile.TemporaryDirectory() as folder, Saver(print) as saver:
            history = CheckpointStore(Path(folder))
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                checkpoint = capture(trainer, 0.0)
                held_up.append(time.perf_counter() - begun)
                saver.begin(functools.partial(history.write, checkpoint))
                begun, steps = time.perf_counter(), 0
                while saver.busy or not steps:
                    trainer.advance()
                    steps += 1
                beside = time.perf_counter() - begun
                saver.wait()
                begun = time.perf_counter()
                for _ in range(steps):
                    trainer.advance()
                extra.append(beside - (time.perf_counter() - begun))
            size = history.path(history.all()[-1]).stat().st_size
        snapshot, beside = statistics.median(held_up), max(0.0, statistics.median(extra))
        print(
            f"{name}: {size / 1e6:.0f} MB, snapshot {1000 * snapshot:.1f} ms"
            f" ({snapshot / SPACING_S:.3%}), steps beside a save {1000 * beside:.0f} ms longer"
            f" ({beside / SPACING_S:.2%})"
        )


if __name__ == "__main__":
    main()
