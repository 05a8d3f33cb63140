"""Real images are scaled twice, so most of their values lie outside the range of the generator."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.exact import is_watched, last, stated
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.symptoms import figure, high

READINGS = ("normalised_twice",)

applies = is_watched


def find(run: RunEvidence) -> Finding | None:
    """Check whether black and white have the values that result from scaling twice."""
    twice = high(run, "normalised_twice", "whether the images are scaled twice")
    if not twice:
        return None
    black, white = last(run, "black_level"), last(run, "white_level")
    by_255 = white - black < 1
    once = "x / 255" if by_255 else "(x - 0.5) / 0.5"
    text = (
        f"black is {figure(black)} and white {figure(white)} in the real images of the loop, as if {once} "
        "had been applied twice"
    )
    return Finding(
        "normalised-twice",
        "sick",
        twice.since_images,
        (stated(text, twice, black_level=black, white_level=white),),
        "Two parts of the loop scale the images, such as a transform of the dataset and a line of the "
        "training step.",
        Remedy(
            "Scale the images only once.",
            code=("transforms.ToTensor()",) if by_255 else ("transforms.Normalize(0.5, 0.5)",),
        ),
    )
