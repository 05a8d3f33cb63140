"""What a run has learned so far, on an absolute scale: whatever other runs of its kind show at this stage."""

import math
from dataclasses import dataclass

from ganzfeld.health.derived import LEAST_QUALITY, series_of
from ganzfeld.health.evidence import RunEvidence, Series

MOST_TWINS = 0.9
"""From this share of images with a near duplicate on, all images are alike. Real images have 0.05."""
LEAST_VARIETY = 0.25
"""Below this share of the variety of the data, all images are alike."""

NOTHING_YET = 0.05
"""Below this quality, images are no better than untrained ones."""

_STEPS = (
    (NOTHING_YET, "no better than untrained"),
    (0.15, "a tenth of the way from untrained to real images"),
    (0.225, "a fifth of the way from untrained to real images"),
    (0.29, "a quarter of the way from untrained to real images"),
    (0.415, "a third of the way from untrained to real images"),
    (0.58, "half of the way from untrained to real images"),
    (0.71, "two thirds of the way from untrained to real images"),
    (0.825, "three quarters of the way from untrained to real images"),
    (0.95, "nine tenths of the way from untrained to real images"),
    (math.inf, "nearly like real images, by these measures"),
)


@dataclass(frozen=True, slots=True)
class Learned:
    """What a run has learned at its last look.

    ``quality`` is between 0, untrained, and 1, like real images; None if it was not measured at that look.
    ``twins`` and ``diversity`` are the readings of these names, None without them.
    """

    quality: float | None
    twins: float | None
    diversity: float | None

    @property
    def are_alike(self) -> bool:
        """Whether the images of all latents look alike."""
        return (self.twins is not None and self.twins >= MOST_TWINS) or (
            self.diversity is not None and self.diversity < LEAST_VARIETY
        )

    @property
    def is_unknown(self) -> bool:
        """Whether nothing shows how good the images are: no quality, and no sign that all are alike."""
        return self.quality is None and not self.are_alike

    @property
    def is_little(self) -> bool:
        """Whether little has been learned: all images are alike, or hardly better than untrained ones.

        So it is assumed where the quality is not known, as in runs of earlier versions: untrained images may
        vary, and a run cannot be called healthy unasked.
        """
        return self.quality is None or self.are_alike or self.quality < LEAST_QUALITY

    @property
    def sentence(self) -> str:
        """What is seen, in words."""
        if self.quality is None:
            return "all images are alike" if self.are_alike else "it is not known how good the images are"
        if not self.are_alike:
            return f"the images are {in_words(self.quality)}"
        so_far = "all images are alike so far"
        return so_far if self.quality < NOTHING_YET else f"{so_far}, {in_words(self.quality)}"


NOTHING = Learned(None, None, None)
"""What is known of a run without readings."""


def learned(run: RunEvidence) -> Learned:
    """Return what a run has learned at its last look: a quality from before it says nothing of it."""
    quality, *others = (series_of(run, name) for name in ("quality", "twins", "diversity"))
    is_old = any(len(series) and len(quality) and series.images[-1] > quality.images[-1] for series in others)
    return Learned(None if is_old else _last(quality), *map(_last, others))


def in_words(quality: float) -> str:
    """Return a quality in words."""
    return next(words for above, words in _STEPS if quality < above)


def _last(series: Series) -> float | None:
    return float(series.values[-1]) if len(series) else None
