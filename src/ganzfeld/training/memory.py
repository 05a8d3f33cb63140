"""Which batch would have fitted, when memory ran out."""

import os
import signal
import time
import warnings

import torch

from ganzfeld.training.engine import ran_out_of_memory, release_memory
from ganzfeld.training.trainer import Trainer

PATIENCE_S = 30.0


def largest_batch(trainer: Trainer) -> int | None:
    """The largest half, quarter, ... of the batch with which a step fits into memory; None if none does.

    Spoils the trainer: what it was must have been saved before. Of several ranks none can try alone.
    """
    if trainer.ranks.number > 1:
        return None
    trainer.recorded_steps = None  # they are of the batch that did not fit, and hold memory
    batch = trainer.recipe.batch // 2
    while batch >= 2:
        release_memory()
        if _fits(trainer, batch):
            return batch
        batch //= 2
    return None


def _fits(trainer: Trainer, batch: int) -> bool:
    # On a processor, some libraries crash when they get no memory; what a fork does, does us no harm.
    if trainer.engine.device.type == "cpu" and hasattr(os, "fork"):
        return _fits_in_a_fork(trainer, batch)
    return _step_fits(trainer, batch)


def _step_fits(trainer: Trainer, batch: int) -> bool:
    trainer.sound = torch.zeros_like(trainer.sound)  # so that nothing is learnt
    trainer.recipe = trainer.recipe.model_copy(update={"batch": batch})
    trainer.index = 0  # when lazy penalties are due, and a step needs most
    try:
        trainer.advance()
    except (MemoryError, RuntimeError) as error:
        if not ran_out_of_memory(error):
            raise
        return False
    return True


def _fits_in_a_fork(trainer: Trainer, batch: int) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other threads, which are not needed there
        child = os.fork()
    if child == 0:
        code = 1
        try:
            torch.set_num_threads(1)  # the threads of the parent have not come along
            code = 0 if _step_fits(trainer, batch) else 1
        finally:
            os._exit(code)
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE_S:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False
