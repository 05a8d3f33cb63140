"""How long a training may take, and how many images that will be."""

from dataclasses import dataclass

from ganzfeld.errors import UsageError

DEFAULT_MINUTES = 5.0
MOST_MINUTES, MOST_IMAGES = 10_000_000, 10**15


@dataclass(frozen=True)
class Budget:
    """The end of a run: minutes of training, images seen, or whichever comes first.

    With neither it is five minutes. Raises ``UsageError`` for anything that is not above 0.
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
        """Whether the run is at its end."""
        out_of_time = self.minutes is not None and seconds >= 60 * self.minutes
        return out_of_time or (self.images is not None and images_seen >= self.images)

    def remaining_s(self, images_seen: int, seconds: float, images_per_s: float) -> float | None:
        """Seconds left at this speed; None while the speed is not known."""
        left = []
        if self.minutes is not None:
            left.append(60 * self.minutes - seconds)
        if self.images is not None:
            if images_per_s <= 0:
                return None
            left.append((self.images - images_seen) / images_per_s)
        return max(0.0, min(left))

    def horizon(self, images_seen: int, seconds: float, images_per_s: float) -> int | None:
        """Images that the whole run will see at this speed; None while that cannot be said."""
        if self.minutes is None or images_per_s <= 0:
            return self.images
        estimate = images_seen + int(images_per_s * max(0.0, 60 * self.minutes - seconds))
        return max(1, estimate if self.images is None else min(estimate, self.images))
