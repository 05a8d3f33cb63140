"""What a window shows of a loop, as readings by name; see ``health/readings/loop.py`` for their meaning."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ganzfeld.health.watched_networks import CallForm
from ganzfeld.watching.calls import DiscriminatorCall, Side
from ganzfeld.watching.comparison import DataComparison
from ganzfeld.watching.movement import Movement
from ganzfeld.watching.recorder import Recorder
from ganzfeld.watching.window import Window

Readings = Mapping[str, Tensor | float]

_NEAR = 0.4
_NARROW = 0.05
"""Values from 0 to 255 that are divided by 255 twice end at 0.004."""


class LoopFacts:
    """Derives the readings of a loop from its windows, its optimizers and the data.

    ``note`` is called with each sentence on what cannot be read.
    """

    def __init__(self, recorder: Recorder, data: DataComparison, note: Callable[[str], object]) -> None:
        self._recorder, self._data, self._note = recorder, data, note
        self._movements: dict[Side, Movement] = {
            side: Movement(weights) for side, weights in recorder.trained.items()
        }

    def read(
        self, window: Window, bounds: tuple[float, float] | None, form: CallForm | None
    ) -> dict[str, Tensor | float]:
        """Return all readings; a part that fails for this loop is left out, with a note.

        ``bounds`` are those of the generator's output activation, ``form`` is that of the discriminator's
        calls; None if they are not known.
        """
        parts: list[Callable[[], Readings]] = [
            window.facts,
            self._rates,
            lambda: self._values(window, bounds),
            lambda: self._labels(window, form),
            self._moved,
        ]
        facts: dict[str, Tensor | float] = {}
        for part in parts:
            try:
                facts |= part()
            except Exception as error:  # noqa: BLE001  any loop may be watched, and it must continue
                self._note(f"readings of the loop are left out: {reason_of(error)}")
        return facts

    def _rates(self) -> Readings:
        optimizers = self._recorder.optimizers.items()
        return {
            f"rate_{side}": float(optimizer.param_groups[0]["lr"])
            for side, optimizer in optimizers
            if optimizer
        }

    def _values(self, window: Window, bounds: tuple[float, float] | None) -> Readings:
        """Compare range and channels of the real images with those of the data, and with the output."""
        if not window.reals or len({part.shape[1:] for part in window.reals}) > 1:
            return {}
        reals = torch.cat(window.reals)
        result: dict[str, float] = dict(self._data.channel_order(reals))
        levels = self._data.levels(reals)
        if levels is not None:
            result |= {"black_level": levels[0], "white_level": levels[1]}
        if bounds is not None:
            result |= {"output_low": bounds[0], "output_high": bounds[1]}
        if levels is not None and bounds is not None:
            gaps = [abs(level - bound) for level, bound in zip(levels, bounds, strict=True)]
            twice = _are_normalised_twice(*levels)
            result["normalised_twice"] = float(twice)
            if not twice:
                result["range_gap"] = max(gaps) / (bounds[1] - bounds[0])
        return result

    def _labels(self, window: Window, form: CallForm | None) -> Readings:
        for call in window.real_calls if form is not None else ():
            numbers = None if form is None else numbers_of(form, call)
            if numbers is not None:
                images = call.rows(call.images, fake=False)
                self._data.note_labels(images, call.rows(numbers, fake=False).cpu())
        return self._data.wrong_labels

    def _moved(self) -> Readings:
        updates = self._recorder.num_updates
        others: dict[Side, int] = {
            "generator": updates["discriminator"],
            "discriminator": updates["generator"],
        }
        shares = {f"moved_{side}": movement.share(others[side]) for side, movement in self._movements.items()}
        return {name: share for name, share in shares.items() if share is not None}


def _are_normalised_twice(black: float, white: float) -> bool:
    """Check whether the usual scaling was applied twice: x -> 2x - 1, or x -> x / 255."""
    is_shifted_twice = abs(black + 3) < _NEAR and abs(white - 1) < _NEAR
    return is_shifted_twice or 0 < white - black < _NARROW


def numbers_of(form: CallForm, call: DiscriminatorCall) -> Tensor | None:
    """Return the class numbers (B,) in a call; None if it has no labels."""
    if form.labels is None or form.label_form is None:
        return None
    return form.label_form.numbers(form.tensor(form.labels, call.args, call.kwargs))


def reason_of(error: BaseException) -> str:
    """Return what an exception says, on one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
