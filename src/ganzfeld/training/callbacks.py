"""What a run tells whoever watches it. The loop prints nothing itself."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from ganzfeld.runs.run import Run

TRAINING = "training"
"""The activity between two steps; every other one is a preparation or a judgement."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands; what a ``progress`` callback is called with.

    - ``images_seen``: training images seen since the beginning of the run;
    - ``seconds``: of training, without preparations and judgements;
    - ``images_per_s``: of late; 0.0 while it is not known;
    - ``remaining_s``: until the end of the run, what is measured after training included; None while it is
      not known;
    - ``loss_generator``, ``loss_discriminator``: of the last step; None before the first;
    - ``state``: in a few words whether the run is healthy; empty while that is not known;
    - ``quality``: kernel distance of the latest judgement, after resuming of the best; None before the first;
    - ``activity``: "training", or what is done before, between or after: "decoding images";
    - ``done``, ``total``: how far that activity is, in pieces of its own; 0 of 0 for training.
    """

    images_seen: int
    seconds: float
    images_per_s: float
    remaining_s: float | None
    loss_generator: float | None
    loss_discriminator: float | None
    state: str = ""
    quality: float | None = None
    activity: str = TRAINING
    done: int = 0
    total: int = 0


class TrainCallback:
    """Is told everything and does nothing; a subclass overrides what it wants to show.

    An exception that a method raises while the run trains ends the run as a signal does: after saving.
    """

    def preparing(self, done: int, total: int, what: str) -> None:
        """Something else than training is under way: ``done`` of ``total``."""

    def started(self, run: Run, summary: str) -> None:
        """Training begins, in this folder; ``summary`` says what is trained on what."""

    def read(self, reading: Progress) -> None:
        """Where the run stands, about once a second."""

    def noted(self, text: str) -> None:
        """Something worth a line."""

    def ended(self) -> None:
        """Training is over, in whatever way; nothing more will be told."""

    def abandoned(self) -> None:
        """A second signal ends the process now, without saving."""


class GuardedCallback(TrainCallback):
    """Tells another watcher everything until that one raises; ``failure`` is then what it raised.

    So a run can be saved before a mistake in a callback is passed on.
    """

    def __init__(self, callback: TrainCallback) -> None:
        self._callback = callback
        self.failure: BaseException | None = None

    def has_failed(self) -> bool:
        """Whether it has raised."""
        return self.failure is not None

    def preparing(self, done: int, total: int, what: str) -> None:
        """Pass it on."""
        with self._guard() as callback:
            callback.preparing(done, total, what)

    def started(self, run: Run, summary: str) -> None:
        """Pass it on."""
        with self._guard() as callback:
            callback.started(run, summary)

    def read(self, reading: Progress) -> None:
        """Pass it on."""
        with self._guard() as callback:
            callback.read(reading)

    def noted(self, text: str) -> None:
        """Pass it on."""
        with self._guard() as callback:
            callback.noted(text)

    def ended(self) -> None:
        """Pass it on."""
        with self._guard() as callback:
            callback.ended()

    def abandoned(self) -> None:
        """Pass it on."""
        with self._guard() as callback:
            callback.abandoned()

    @contextlib.contextmanager
    def _guard(self) -> Iterator[TrainCallback]:
        """The watcher, or after a failure one that does nothing."""
        try:
            yield TrainCallback() if self.failure else self._callback
        except BaseException as failure:  # noqa: BLE001  raised again when the run is saved
            self.failure = self.failure or failure
