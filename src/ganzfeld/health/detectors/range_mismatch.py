"""Real images have another range of values than the generator can reach."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.exact import is_watched, last, stated
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.symptoms import figure, high

READINGS = ("range_gap",)

applies = is_watched


def find(run: RunEvidence) -> Finding | None:
    """Check whether black and white are at the ends of the generator's output activation."""
    gap = high(run, "range_gap", "the distance between the ranges of real and generated images")
    if not gap:
        return None
    black, white = last(run, "black_level"), last(run, "white_level")
    low, top = last(run, "output_low"), last(run, "output_high")
    text = (
        f"black is {figure(black)} and white {figure(white)} in the real images of the loop, but the "
        f"generator's output goes from {figure(low)} to {figure(top)}"
    )
    scaling = (
        "real = images / 255" if low == 0 else f"real = images / 255 * {figure(top - low)} - {figure(-low)}"
    )
    return Finding(
        "range-mismatch",
        "sick",
        gap.since_images,
        (stated(text, gap, black_level=black, white_level=white, output_low=low, output_high=top),),
        "The images are not scaled to the range of the generator's output activation. The discriminator "
        "can tell real and generated images apart by their range alone, and the generator cannot reach "
        "some values.",
        Remedy(
            f"Scale the images (0 to 255) to the range from {figure(low)} to {figure(top)}, or use an output "
            "activation with their range.",
            code=(scaling,),
        ),
        "bounded-output",
    )
