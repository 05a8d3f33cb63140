"""A checkerboard pattern in generated images, with the period of the stride of a transposed convolution."""

from ganzfeld.health.detectors.uneven_ladder import cause_of, even_ladder, uneven_layers
from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import rate
from ganzfeld.health.symptoms import high

READINGS = ("checkerboard",)


def find(run: RunEvidence) -> Finding | None:
    """Check the spectral power of generated images at the harmonics of the stride."""
    grid = high(
        run,
        "checkerboard",
        "the spectral power of generated images at the harmonics of the stride, relative to real images, as "
        "a log10,",
    )
    if not grid:
        return None
    evidence = grid.evidence
    if uneven := uneven_layers(run):
        cause, remedy = cause_of(uneven, run), even_ladder(run)
    else:
        cause = (
            "The kernels cover every pixel evenly, but neighbouring pixels use different weights of the "
            "kernel. A learning rate that is too high prints the pattern into these weights."
        )
        remedy = Remedy("Lower the learning rate of the generator.", (rate(run, "generator", 0.5),))
    return Finding(
        "checkerboard",
        "sick" if uneven else "watch",
        grid.since_images,
        (evidence,),
        cause,
        remedy,
        "upsampling",
    )
