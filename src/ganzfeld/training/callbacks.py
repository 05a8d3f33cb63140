"""The callbacks of a run and the progress they are called with. The loop prints nothing itself."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from ganzfeld.runs.run import Run

TRAINING = "training"
"""The activity while steps are made; every other activity is a preparation or a quality measurement."""


@dataclass(frozen=True)
class Progress:
    """The progress of a run; a ``progress`` callback is called with it.

    - ``images_seen``: training images seen since the beginning of the run;
    - ``seconds``: seconds of training, without preparations and quality measurements;
    - ``images_per_s``: recent speed; 0.0 while it is unknown;
    - ``remaining_s``: seconds until the end of the run, including the final measurements; None while it is
      unknown;
    - ``loss_generator``, ``loss_discriminator``: the losses of the last step; None before the first step;
    - ``state``: whether the run is healthy, in a few words; empty while that is unknown;
    - ``quality``: the latest kernel distance, or the best one after resuming; None before the first
      measurement;
    - ``activity``: "training", or other work before, between or after the steps, such as "decoding images";
    - ``done``, ``total``: how much of that activity is done, in its own units; 0 of 0 for training.
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
    """The events of a run; every method does nothing, and a subclass overrides those it needs.

    An exception that a method raises during training ends the run as a signal does: after saving.
    """

    def preparing(self, done: int, total: int, what: str) -> None:
        """Handle progress of work other than training: ``done`` of ``total`` pieces of ``what``."""

    def started(self, run: Run, summary: str) -> None:
        """Handle the start of training in the folder of ``run``; ``summary`` describes data and networks."""

    def read(self, progress: Progress) -> None:
        """Handle the progress of the run, about once a second."""

    def noted(self, text: str) -> None:
        """Handle a note that deserves a line of its own."""

    def ended(self) -> None:
        """Handle the end of training, however it came; no method is called after this one."""

    def abandoned(self) -> None:
        """Handle a second signal, which ends the process now, without saving."""


class GuardedCallback(TrainCallback):
    """Forwards all events to another callback until that raises; ``failure`` is then what it raised.

    So a run can be saved before the failure of a user's callback is raised.
    """

    def __init__(self, callback: TrainCallback) -> None:
        self._callback = callback
        self.failure: BaseException | None = None

    def has_failed(self) -> bool:
        """Check whether the callback has raised."""
        return self.failure is not None

    def preparing(self, done: int, total: int, what: str) -> None:
        """Forward the event."""
        with self._guard() as callback:
            callback.preparing(done, total, what)

    def started(self, run: Run, summary: str) -> None:
        """Forward the event."""
        with self._guard() as callback:
            callback.started(run, summary)

    def read(self, progress: Progress) -> None:
        """Forward the event."""
        with self._guard() as callback:
            callback.read(progress)

    def noted(self, text: str) -> None:
        """Forward the event."""
        with self._guard() as callback:
            callback.noted(text)

    def ended(self) -> None:
        """Forward the event."""
        with self._guard() as callback:
            callback.ended()

    def abandoned(self) -> None:
        """Forward the event."""
        with self._guard() as callback:
            callback.abandoned()

    @contextlib.contextmanager
    def _guard(self) -> Iterator[TrainCallback]:
        """Yield the callback, or after a failure one that does nothing; keep the first failure."""
        try:
            yield TrainCallback() if self.failure else self._callback
        except BaseException as failure:  # noqa: BLE001  raised again when the run is saved
            self.failure = self.failure or failure
