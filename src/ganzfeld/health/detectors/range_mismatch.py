"""Real images have another range of values than the generator can reach."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.exact import is_watched, last, stated
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.symptoms import figure, high

READINGS = ("range_gap",)

NEAR = 0.02
"""The share of the distance of black and white up to which a level counts as a whole number."""

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
    return Finding(
        "range-mismatch",
        "sick",
        gap.since_images,
        (stated(text, gap, black_level=black, white_level=white, output_low=low, output_high=top),),
        "The images are not scaled to the range of the generator's output activation. The discriminator "
        "can tell real and generated images apart by their range alone, and the generator cannot reach "
        "some values.",
        Remedy(
            f"Scale the real images to the range from {figure(low)} to {figure(top)}, or use an output "
            "activation with their range.",
            code=(scaling(black, white, low, top),),
        ),
        "bounded-output",
    )


def scaling(black: float, white: float, low: float, top: float) -> str:
    """Return a line of code that scales real images, as the discriminator gets them, to the output's range.

    The levels are known to about a hundredth of their distance, and are taken as whole numbers if they are
    as near to some.
    """
    near = NEAR * abs(white - black)
    black, white = (round(level) if abs(level - round(level)) <= near else level for level in (black, white))
    images = "real" if black == 0 else f"(real {_signed(-black)})"
    divided = "" if white - black == 1 else f" / {figure(white - black)}"
    times = "" if top - low == 1 else f" * {figure(top - low)}"
    return f"real = {images}{divided}{times}{'' if low == 0 else f' {_signed(low)}'}"


def _signed(number: float) -> str:
    """Write a number that is added: ``+ 1``, ``- 1``."""
    return f"{'-' if number < 0 else '+'} {figure(abs(number))}"
