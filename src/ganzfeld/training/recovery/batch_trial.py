"""Try smaller batches of a run in a separate process: ``python -m ...recovery.batch_trial RUN``.

Prints every batch that fits into memory, the smallest first, until one does not fit. Does not change the run.
"""

import sys

from ganzfeld.runs.opening import open_run
from ganzfeld.training.callbacks import TrainCallback
from ganzfeld.training.overrides import Overrides
from ganzfeld.training.recovery.memory import smaller_batches, step_fits
from ganzfeld.training.session import trainer_of


def main(path: str) -> None:
    """Print the smaller batches that fit into memory for the run at ``path``, one per line."""
    run = open_run(path)
    trainer = trainer_of(run.metadata, run.recipe, None, Overrides(), TrainCallback())
    for batch in reversed(list(smaller_batches(run.recipe.batch))):
        if not step_fits(trainer, batch):
            break
        print(batch, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
