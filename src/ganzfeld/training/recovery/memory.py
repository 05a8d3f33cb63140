"""Which batch would have fitted, when memory ran out."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ganzfeld.compute.engine import release_memory
from ganzfeld.system import ran_out_of_memory
from ganzfeld.training.trainer import Trainer

PATIENCE_S = 60.0


def advice_on_batch(trainer: Trainer, run: Path) -> str:
    """The largest half, quarter, ... of the batch with which a step fits into memory, in words.

    ``run`` is the folder of the run. Spoils the trainer: what it was must have been saved before.
    """
    try:
        fits = _largest_batch(trainer, run)
    except _Unknown as unknown:
        return f"which batch would fit could not be found out ({unknown})"
    return f"a batch of {fits} fits: begin again with --batch {fits}" if fits else "no smaller batch fits"


def smaller_batches(batch: int) -> Iterator[int]:
    """Half of the batch, a quarter, ..., down to 2."""
    while (batch := batch // 2) >= 2:
        yield batch


def step_fits(trainer: Trainer, batch: int) -> bool:
    """Whether a step with that batch fits into memory; statistics of the networks change, weights do not."""
    try:
        trainer.with_batch(batch).advance()
    except (MemoryError, RuntimeError) as error:
        if not ran_out_of_memory(error):
            raise
        return False
    return True


class _Unknown(Exception):
    """Why it cannot be said which batch would fit."""


def _largest_batch(trainer: Trainer, run: Path) -> int | None:
    if trainer.ranks.world_size > 1:
        raise _Unknown("no process of several can try it alone")
    if trainer.engine.device.type == "cpu":
        return _tried_in_a_new_process(run)
    trainer.forget_graphs()  # of the batch that did not fit
    for batch in smaller_batches(trainer.recipe.batch):
        release_memory()
        if step_fits(trainer, batch):
            return batch
    return None


def _tried_in_a_new_process(run: Path) -> int | None:
    """The largest batch that fits when a run begins again; None if none does.

    This process cannot tell: what its steps freed it keeps in pieces (see ``engine``), none of which may be
    large enough for a smaller step, and some libraries crash when they get no memory.
    """
    command = [sys.executable, "-m", "ganzfeld.training.recovery.batch_trial", str(run)]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                told, complaint = process.communicate(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                told, complaint = process.communicate()
    except OSError as error:
        raise _Unknown(str(error)) from None
    fitting = [int(line) for line in told.splitlines() if line.isdecimal()]
    if not fitting and process.returncode > 0:  # and not killed by a signal, as in a library that crashes
        raise _Unknown(complaint.strip().rpartition("\n")[-1])
    return max(fitting, default=None)
