"""What a training tells whoever watches it. The loop prints nothing itself."""

from dataclasses import dataclass

from ganzfeld.training.run import Run


@dataclass(frozen=True)
class Reading:
    """Where a training stands. ``remaining_s`` is None while it is not known.

    ``state`` says in a few words whether it is well; empty while that is not known.
    """

    images_seen: int
    seconds: float
    images_per_s: float
    remaining_s: float | None
    loss_generator: float
    loss_discriminator: float
    state: str = ""


class Watcher:
    """Hears of everything and does nothing; a door overrides what it wants to show."""

    def preparing(self, done: int, total: int, what: str) -> None:
        """Pictures are being read: ``done`` of ``total``."""

    def started(self, run: Run, summary: str) -> None:
        """Training begins, in this folder; ``summary`` says what is trained on what."""

    def read(self, reading: Reading) -> None:
        """A reading, about once a second."""

    def noted(self, text: str) -> None:
        """Something worth a line."""

    def ended(self) -> None:
        """Training is over, in whatever way; nothing more will be told."""

    def abandoned(self) -> None:
        """A second signal ends the process now, without saving."""
