"""Sentences about the quality of a run's model, or about why it was not measured."""

from ganzfeld.data.kinds import IMAGE
from ganzfeld.errors import GanzfeldError, ResourceError
from ganzfeld.metrics import LEAST, Space, space
from ganzfeld.metrics.intervals import NORMAL_95
from ganzfeld.metrics.spaces import NONE, VARIABLE, usual_name
from ganzfeld.runs.run import Run


def quality_in_words(run: Run, images_seen: int) -> str:
    """Return the kernel distance of the best model of a run in words, or why there is none.

    Scores that were measured at another end of the run than at ``images_seen`` images are ignored.
    """
    final = run.metadata.final
    if final is None or final.at_images != images_seen:
        return f"not measured: {why_not_measured(run)}"
    best, last = final.best, final.last
    sentence = f"kernel distance {best.kernel_distance:.3f} ± {NORMAL_95 * best.error:.3f} (0 is best)"
    if best.images_seen == last.images_seen:
        return sentence
    return f"{sentence}, after {best.images_seen:,} images; {last.kernel_distance:.3f} at the end"


def why_not_measured(run: Run) -> str:
    """Return why a run that has ended has no kernel distance, in words."""
    if (kind := run.recipe.kind) != IMAGE:
        return f"the kernel distance is for images; ganzfeld eval measures {kind}s, beside their baselines"
    try:
        _, why_not = scoring_space(run.metadata.num_pictures)
    except GanzfeldError as error:  # a run that has ended must not fail because of this
        why_not = error.message
    return why_not or "this run was never scored; ganzfeld eval can score it"


def can_still_be_scored(run: Run, images_seen: int) -> bool:
    """Check whether a run that has ended at ``images_seen`` has no score although it can be scored."""
    final = run.metadata.final
    if run.recipe.kind != IMAGE or (final is not None and final.at_images == images_seen):
        return False
    try:
        return scoring_space(run.metadata.num_pictures)[0] is not None
    except GanzfeldError:  # a run that has ended must not fail because of this
        return False


def require_space() -> None:
    """Raise ``ResourceError`` if quality cannot be measured."""
    name = usual_name()
    if name is None:
        raise ResourceError(f"{VARIABLE} is {NONE}", "Unset it, so that quality is measured.")
    space(name)


def scoring_space(num_pictures: int) -> tuple[Space | None, str]:
    """Return the feature space in which runs are scored, or None and the reason."""
    name = usual_name()
    if name is None:
        return None, f"{VARIABLE} is {NONE}"
    if num_pictures < LEAST:
        return None, f"{num_pictures} images are fewer than the {LEAST} that a score needs"
    try:
        return space(name), ""
    except ResourceError as error:
        return None, f"{error.message}. {error.hint}"
