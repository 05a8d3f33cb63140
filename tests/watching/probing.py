"""The probe of a loop that somebody else wrote."""

from pathlib import Path
from types import ModuleType

import numpy as np

from ganzfeld.health.probe import ProbeContext
from ganzfeld.watching import Watch
from tests.watching.conftest import AT_EVERY_STEP


def watched_probe(strangers: ModuleType, blobs_file: Path, folder: Path) -> ProbeContext:
    """Return the probe of a loop by class after readings have been taken twice."""
    loop = strangers.Loop("by class", "conditional", width=4, batch=8)
    with np.load(blobs_file) as stored:
        images = strangers.Images("blobs", str(blobs_file), stored["images"], stored["labels"], 4)
    training = strangers.Training(loop, images)
    optimizers = (training.optimizer_g, training.optimizer_d)
    with Watch(
        training.generator,
        training.discriminator,
        blobs_file,
        folder / "watched",
        optimizers,
        pace=AT_EVERY_STEP,
    ) as watch:
        for step in range(1, 21):
            watch.step(8 * step, training.step())
        assert watch.monitor is not None
        return watch.monitor.probe()
