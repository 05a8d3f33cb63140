"""The largest batch that fits, after memory ran out."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ganzfeld.compute.engine import release_memory
from ganzfeld.system import ran_out_of_memory
from ganzfeld.training.trainer import Trainer

PATIENCE_S = 60.0


def advice_on_batch(trainer: Trainer, run: Path) -> str:
    """Find the largest half, quarter, ... of the batch whose step fits into memory, and return advice on it.

    ``run`` is the run folder. The trainer is unusable afterwards: its state must have been saved before.
    """
    try:
        fits = _largest_batch(trainer, run)
    except _Unknown as unknown:
        return f"the largest batch that fits is unknown ({unknown})"
    return f"a batch of {fits} fits: begin again with --batch {fits}" if fits else "no smaller batch fits"


def smaller_batches(batch: int) -> Iterator[int]:
    """Yield half of the batch, a quarter, ..., down to 2."""
    while (batch := batch // 2) >= 2:
        yield batch


def step_fits(trainer: Trainer, batch: int) -> bool:
    """Check whether a step with this batch fits into memory; it changes statistics but no weights."""
    try:
        trainer.with_batch(batch).advance()
    except (MemoryError, RuntimeError) as error:
        if not ran_out_of_memory(error):
            raise
        return False
    return True


class _Unknown(Exception):
    """The reason why the largest batch that fits is unknown."""


def _largest_batch(trainer: Trainer, run: Path) -> int | None:
    if trainer.ranks.world_size > 1:
        raise _Unknown("with several processes, none can try it alone")
    if trainer.engine.device.type == "cpu":
        return _try_in_new_process(run)
    trainer.forget_graphs()  # those of the batch that did not fit hold memory
    for batch in smaller_batches(trainer.recipe.batch):
        release_memory()
        if step_fits(trainer, batch):
            return batch
    return None


def _try_in_new_process(run: Path) -> int | None:
    """Return the largest batch that fits when the run begins again; None if none does.

    This process cannot find out: it keeps the memory that its steps freed in pieces (see ``engine``), which
    may all be too small even for a smaller step, and some libraries crash when they get no memory.
    """
    command = [sys.executable, "-m", "ganzfeld.training.recovery.batch_trial", str(run)]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                stdout, stderr = process.communicate(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                stdout, stderr = process.communicate()
    except OSError as error:
        raise _Unknown(str(error)) from None
    fitting = [int(line) for line in stdout.splitlines() if line.isdecimal()]
    if not fitting and process.returncode > 0:  # it failed; a negative code is a crash for lack of memory
        raise _Unknown(stderr.strip().rpartition("\n")[-1])
    return max(fitting, default=None)
