"""``loss-surface`` in situ: the same measures in live networks with and without norms."""

from typing import Any

from ganzfeld.lab.experiments.loss_surface import NORMS, SIDES, Settings
from ganzfeld.lab.experiments.loss_surface.figures import figure_of
from ganzfeld.lab.experiments.loss_surface.surface import MEASURES, compared, landscape_of
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured


def variants(settings: Settings) -> list[dict[str, Any]]:
    """Return the norms that are compared: of the generator, then of the discriminator."""
    return [{f"{side}.normalisation": norm} for side in SIDES for norm in NORMS]


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Compare two runs that differ in the norm of the generator, and two in that of the discriminator."""
    figures: list[Measured] = []
    courses: dict[str, Any] = {}
    stages: list[int] = []
    for side in SIDES:
        runs = [live.variant({f"{side}.normalisation": norm}) for norm in NORMS]
        stages = runs[0].stages
        rows = [[_measured(run, side, stage, seed) for run in runs] for stage in stages]
        ratios, courses[side] = compared(rows)
        figures += [figure_of(measure, side, ratios[measure], "in situ") for measure in MEASURES]
    return figures, {"live_courses": courses, "live_looks": stages}


def _measured(run: Live, side: str, stage: int, seed: int) -> dict[str, float]:
    """Measure the loss of one network of a run at one of its stages, on two batches' worth of images."""
    trainer, num = run.trainer(stage), 2 * run.recipe.batch
    choices = getattr(run.recipe, side)
    return landscape_of(
        side,
        trainer.gan,
        trainer.config.loss,
        run.real(num, seed),
        run.latents(num, seed),
        choices.optimizer.lr,
        choices.activation,
    ).measure()
