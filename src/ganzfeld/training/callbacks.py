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


@dataclass(frozen=True)
class Pace:
    """How often a run is measured and shown. None of it changes the weights.

    - ``progress_every_s``: seconds of training between two calls of ``read``, each with a journal line;
    - ``grid_every_s``, ``grid_every_share``: the least distance between two sample grids, in seconds of
      training and as a share of the training time so far;
    - ``readings_every_s``, ``readings_every_share``: the same for readings of health;
    - ``readings_cost``, ``cheap_readings_cost``: the largest shares of the training time for taking all
      readings, and for taking the few that need no passes through networks;
    - ``score_every_s``, ``score_cost``: the least number of seconds between two measurements of quality, and
      their largest share of the training time;
    - ``num_scored``, ``num_scored_at_end``: generated images for such a measurement, and for the last one.
    """

    progress_every_s: float = 1.0
    grid_every_s: float = 10.0
    grid_every_share: float = 0.15
    readings_every_s: float = 2.0
    readings_every_share: float = 0.01
    readings_cost: float = 0.0175
    cheap_readings_cost: float = 0.0025
    score_every_s: float = 20.0
    score_cost: float = 0.02
    num_scored: int = 256
    num_scored_at_end: int = 1000


class TrainCallback:
    """The events of a run; every method does nothing, and a subclass overrides those it needs.

    An exception that a method raises during training ends the run as a signal does: after saving. A subclass
    may also set ``pace``, for more frequent grids and measurements, or for fewer.
    """

    pace: Pace = Pace()

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
        self.pace = callback.pace
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
