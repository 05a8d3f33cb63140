"""How long a run may take, and how many images that will be."""

from dataclasses import dataclass

from ganzfeld.errors import UsageError

DEFAULT_MINUTES = 5.0
MOST_MINUTES, MOST_IMAGES = 10_000_000, 10**15


@dataclass(frozen=True)
class Budget:
    """The end of a run: minutes of training or images seen, whichever comes first.

    With neither, the run ends after five minutes. Raises ``UsageError`` for a value out of range.
    """

    minutes: float | None = None
    images: int | None = None

    def __post_init__(self) -> None:
        for name, value, most in (
            ("minutes", self.minutes, MOST_MINUTES),
            ("images", self.images, MOST_IMAGES),
        ):
            if value is not None and not 0 < value <= most:
                raise UsageError(f"{name} must be above 0 and at most {most:,}, not {value}")
        if self.minutes is None and self.images is None:
            object.__setattr__(self, "minutes", DEFAULT_MINUTES)

    def spent(self, images_seen: int, seconds: float) -> bool:
        """Check whether the run has reached its end."""
        out_of_time = self.minutes is not None and seconds >= 60 * self.minutes
        return out_of_time or (self.images is not None and images_seen >= self.images)

    def remaining_s(self, images_seen: int, seconds: float, images_per_s: float) -> float | None:
        """Return the seconds left at this speed; None while the speed is not known."""
        estimates = []
        if self.minutes is not None:
            estimates.append(60 * self.minutes - seconds)
        if self.images is not None:
            if images_per_s <= 0:
                return None
            estimates.append((self.images - images_seen) / images_per_s)
        return max(0.0, min(estimates))

    def horizon(self, images_seen: int, seconds: float, images_per_s: float) -> int | None:
        """Return the number of images that the whole run will see at this speed; None if not known."""
        if self.minutes is None or images_per_s <= 0:
            return self.images
        estimate = images_seen + int(images_per_s * max(0.0, 60 * self.minutes - seconds))
        return max(1, estimate if self.images is None else min(estimate, self.images))
