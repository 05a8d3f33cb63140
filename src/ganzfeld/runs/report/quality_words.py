"""How good the model of a run is, in words, or why that is not known."""

from ganzfeld.errors import GanzfeldError, ResourceError
from ganzfeld.metrics import LEAST, Space, space
from ganzfeld.metrics.intervals import NORMAL_95
from ganzfeld.metrics.spaces import NONE, VARIABLE, usual_name
from ganzfeld.runs.run import Run


def quality_in_words(run: Run, images_seen: int) -> str:
    """The kernel distance of the model that a run keeps as the best, or why there is none.

    What was judged at another end than at ``images_seen`` images is not told.
    """
    final = run.metadata.final
    if final is None or final.at_images != images_seen:
        return f"not measured: {why_not_measured(run)}"
    best, last = final.best, final.last
    said = f"kernel distance {best.kernel_distance:.3f} ± {NORMAL_95 * best.error:.3f} (0 is best)"
    if best.images_seen == last.images_seen:
        return said
    return f"{said}, after {best.images_seen:,} images; {last.kernel_distance:.3f} at the end"


def why_not_measured(run: Run) -> str:
    """Why a run that is over has no kernel distance, in words."""
    try:
        _, why_not = space_to_judge_in(run.metadata.num_pictures)
    except GanzfeldError as error:  # what is over is not refused for it
        why_not = error.message
    return why_not or "not taken; ganzfeld eval does it"


def lacks_judgement(run: Run, images_seen: int) -> bool:
    """Whether the model of a run that is over, at that many images, can be judged and has not been."""
    final = run.metadata.final
    if final is not None and final.at_images == images_seen:
        return False
    try:
        return space_to_judge_in(run.metadata.num_pictures)[0] is not None
    except GanzfeldError:  # what is over is not refused for it
        return False


def require_space() -> None:
    """Raise ``ResourceError`` where quality cannot be measured, for whoever needs it."""
    name = usual_name()
    if name is None:
        raise ResourceError(f"{VARIABLE} is {NONE}", "Unset it, so that quality is measured.")
    space(name)


def space_to_judge_in(num_pictures: int) -> tuple[Space | None, str]:
    """The space in which trainings are judged, or why not."""
    name = usual_name()
    if name is None:
        return None, f"{VARIABLE} is {NONE}"
    if num_pictures < LEAST:
        return None, f"{num_pictures} images are fewer than the {LEAST} that it takes"
    try:
        return space(name), ""
    except ResourceError as error:
        return None, f"{error.message}. {error.hint}"
