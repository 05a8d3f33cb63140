"""Tries smaller batches of a run in a process of its own: ``python -m ...recovery.batch_trial RUN``.

Prints each that fits into memory, the smallest first, until one does not. Changes nothing of the run.
"""

import sys

from ganzfeld.runs.run import open_run
from ganzfeld.training.callbacks import TrainCallback
from ganzfeld.training.overrides import Overrides
from ganzfeld.training.recovery.memory import smaller_batches, step_fits
from ganzfeld.training.session import trainer_of


def main(path: str) -> None:
    """Try them."""
    run = open_run(path)
    trainer = trainer_of(run.metadata, run.recipe, None, Overrides(), TrainCallback())
    for batch in reversed(list(smaller_batches(run.recipe.batch))):
        if not step_fits(trainer, batch):
            break
        print(batch, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
