"""``gz.watch``: readings of any PyTorch loop, in a folder that the doctor reads."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from ganzfeld.data import ImageDataset
from ganzfeld.errors import GanzfeldError, UsageError
from ganzfeld.progress import tell
from ganzfeld.training.callbacks import Pace
from ganzfeld.training.clock import Stopwatch
from ganzfeld.watching.arguments import (
    batch_of,
    free_folder,
    hooked,
    pair_of,
    require_data,
    require_images_seen,
    two_optimizers,
)
from ganzfeld.watching.facts import reason_of
from ganzfeld.watching.folder import WatchFolder
from ganzfeld.watching.monitor import LoopMonitor
from ganzfeld.watching.recorder import Recorder

PACE = Pace(readings_cost=0.01)
"""Readings take a little less of the time than in a run, since hooks cost some too."""

Losses = Mapping[str, Any] | Sequence[Any]


def watch(
    generator: nn.Module,
    discriminator: nn.Module,
    data: str | os.PathLike[str] | ImageDataset | None,
    out: str | os.PathLike[str],
    optimizers: tuple[Optimizer, Optimizer] | None = None,
) -> "Watch":
    """Watch a training loop of your own; use the result in a ``with`` block, and call its ``step``.

    The folder ``out``, which must not exist yet, gets a journal with readings of both networks, images and a
    verdict: ``ganzfeld doctor OUT`` and ``gz.open_run(OUT).diagnose()`` read it, also while the loop runs.
    Hooks on the networks and on torch's optimizers show what the loop does. It is not changed: weights end
    bit for bit as without ``watch``.

    - ``generator`` maps a batch of latents, and labels if there are any, to images (B, C, H, W);
      ``discriminator`` maps images, and labels, to one logit or probability each. Give the modules that the
      loop calls.
    - ``data``: the images that the loop trains on, as ``gz.open_images`` takes them: a folder, an archive, an
      array, or what it returned.
    - ``optimizers``: those of the generator and of the discriminator; without them, any optimizer that holds
      weights of a network counts as its own.

    Raises ``UsageError`` for arguments of another kind and if ``out`` exists, ``DataError`` if ``data``
    cannot be read.

    >>> with watch(generator, discriminator, "photos/", "runs/mine") as watching:  # doctest: +SKIP
    ...     for step, real in enumerate(loader):
    ...         losses = train_one_step(real)
    ...         watching.step((step + 1) * len(real), losses)
    """
    return Watch(generator, discriminator, data, out, optimizers)


class Watch:
    """A loop that is watched; ``watch`` returns it. A context manager.

    ``pace`` decides how often readings are taken, ``clock`` returns the time in seconds.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        data: str | os.PathLike[str] | ImageDataset | None,
        out: str | os.PathLike[str],
        optimizers: tuple[Optimizer, Optimizer] | None = None,
        *,
        pace: Pace = PACE,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        networks = hooked("generator", generator), hooked("discriminator", discriminator)
        self._out = free_folder(out)
        require_data(data)
        self._notes: list[str] = []
        self._recorder = Recorder(*networks, two_optimizers(optimizers), self._fail_in_hook)
        self._data, self._pace = data, pace
        self._stopwatch = Stopwatch(clock=clock)
        self._folder: WatchFolder | None = None
        self._images_seen = 0
        self._num_steps = 0
        self._is_open = False

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes that were printed, oldest first."""
        return tuple(self._notes)

    @property
    def monitor(self) -> LoopMonitor | None:
        """The monitor that takes the readings; None before the first step."""
        return None if self._folder is None else self._folder.monitor

    def __enter__(self) -> "Watch":
        if self._is_open or self._num_steps:
            raise UsageError("this watch has been used already", "Call gz.watch again, with a new folder.")
        self._is_open = True
        self._recorder.attach()
        self._recorder.open_window()
        return self

    def step(
        self, images_seen: int, losses: Losses, real: Tensor | None = None, fake: Tensor | None = None
    ) -> None:
        """Note the end of a step of the loop.

        ``images_seen`` is the number of training images since the beginning, ``losses`` are those of the
        generator and the discriminator: a pair of numbers or scalar tensors, or a mapping with these names.
        ``real`` and ``fake`` are the batches (B, C, H, W) that the discriminator got; they are needed only if
        the loop does not call the networks that were given.

        Raises ``UsageError`` for arguments of another kind; at the first step also ``DataError`` and
        ``ResourceError`` if the data cannot be read or the folder cannot be written. Later failures are
        noted, and do not end the loop.
        """
        if not self._is_open:
            raise UsageError(
                "step was called outside the block of gz.watch", "Call it inside: with gz.watch(...)"
            )
        require_images_seen(images_seen, self._images_seen)
        values, batches = pair_of(losses), (batch_of("real", real), batch_of("fake", fake))
        self._images_seen = int(images_seen)
        self._num_steps += 1
        self._recorder.note_batches(*batches)
        if self._folder is None:
            self._folder = WatchFolder.begin(self._out, self._data, self._recorder, self._pace, self._note)
            self._stopwatch.start()
        else:
            self._stopwatch.lap()
        try:
            self._folder.note_step(self._images_seen, self._num_steps, values, self._stopwatch)
        except GanzfeldError as error:  # such as a full disk, which may have room again
            self._note(f"nothing was written, and the loop continues: {error.message}")
        except Exception as error:  # noqa: BLE001  whatever it is, the loop must continue
            self._fail_in_hook(error)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        folder = self._folder
        try:
            if folder is not None:
                folder.end(self._images_seen, self._stopwatch, "" if error is None else _in_words(error))
        except Exception as own:
            self._note(f"the folder is not complete: {_in_words(own)}")
            if error is None and isinstance(own, GanzfeldError):
                raise
        finally:
            self._recorder.remove()
            if folder is not None:
                folder.close()

    def _fail_in_hook(self, error: Exception) -> None:
        """Take no more readings after an exception that must not reach the loop."""
        self._recorder.resting = True
        self._note(f"no more readings are taken, and the loop continues: {_in_words(error)}")

    def _note(self, text: str) -> None:
        """Print a note once, and keep it in the folder."""
        if text not in self._notes:
            self._notes.append(text)
            tell(f"gz.watch: {text}")
            if self._folder is not None:
                self._folder.keep_note(text)


def _in_words(error: BaseException) -> str:
    return error.message if isinstance(error, GanzfeldError) else reason_of(error)
