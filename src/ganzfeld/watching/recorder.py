"""What passes through the two networks of a loop, and which update of which network it belongs to.

A forward hook on each network and one hook on all optimizers are always there. They keep references, and read
no numbers. While a window is open (see ``window.py``), a hook on the logits also sees their gradients.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from ganzfeld.health.watched_networks import UnknownForm, first_tensor
from ganzfeld.watching.calls import DiscriminatorCall, GeneratorCall, Side
from ganzfeld.watching.hooks import Hook
from ganzfeld.watching.sorting import Batch, Form, Kind, Sorter
from ganzfeld.watching.window import Update, Window, is_clear

NUM_UPDATES = 64
"""Updates of the discriminator whose output is kept."""

_MOST_GENERATED = 4
_WINDOWS_PER_COMPARISON = 8
"""Windows after which batches of the same form are compared again."""

_MOST_CALLS = 64
"""Calls that are kept; more are made only in a loop without optimizers."""

PATIENCE = 8
"""Steps of the loop after which no update of the discriminator is expected any more."""


class Recorder:
    """Records the calls of both networks and the steps of their optimizers, until ``remove`` is called.

    ``optimizers`` are those of the generator and of the discriminator, if they are known. ``failed`` is
    called with an exception that must not reach the loop. ``num_updates`` and ``num_calls`` count the
    updates and the calls of each network. ``outputs`` are those of the discriminator for real and for
    generated images in its last updates. ``resting``: calls are not those of the loop. ``listening``: calls
    are recorded, not only counted. ``trained`` are the weights of each network that are trained when the loop
    begins: many loops freeze the discriminator while the generator is updated.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        optimizers: tuple[Optimizer, Optimizer] | None,
        failed: Callable[[Exception], object],
    ) -> None:
        self.networks: dict[Side, nn.Module] = {"generator": generator, "discriminator": discriminator}
        self.optimizers: dict[Side, Optimizer | None] = {"generator": None, "discriminator": None}
        if optimizers is not None:
            self.optimizers = {"generator": optimizers[0], "discriminator": optimizers[1]}
        self._given = optimizers is not None
        self._weights: dict[Side, set[int]] = {
            side: {id(weight) for weight in network.parameters()} for side, network in self.networks.items()
        }
        self.trained: dict[Side, list[Tensor]] = {
            side: [weight for weight in network.parameters() if weight.requires_grad]
            for side, network in self.networks.items()
        }
        self._marks: dict[Side, Tensor | None] = {
            side: _smallest_matrix(weights) for side, weights in self.trained.items()
        }
        self._failed = failed
        self._sorter = Sorter()
        self._generated: deque[GeneratorCall] = deque(maxlen=_MOST_GENERATED)
        self._calls: deque[DiscriminatorCall] = deque(maxlen=_MOST_CALLS)
        self._held: dict[int, tuple[list[Side], set[int]]] = {}
        self._unsure: deque[tuple[Form, int]] = deque(maxlen=_MOST_GENERATED)
        self._place = 0
        self._order = 0
        self._stepped = False
        self._num_windows = 0
        self._steps_waited = 0
        self._into_generator: Tensor | bool | None = None
        self.outputs: deque[tuple[Tensor, Tensor]] = deque(maxlen=NUM_UPDATES)
        self.num_updates: dict[Side, int] = {"generator": 0, "discriminator": 0}
        self.num_calls: dict[Side, int] = {"generator": 0, "discriminator": 0}
        self.resting = False
        self.listening = True
        self.window: Window | None = None
        self._handles: list[Any] = []

    def attach(self) -> None:
        """Place the hooks."""
        of_generator, of_discriminator, of_optimizers = (
            Hook(function, self._failed) for function in (self._generate, self._discriminate, self._step)
        )
        self._handles = [
            self.networks["generator"].register_forward_hook(of_generator, with_kwargs=True),
            self.networks["discriminator"].register_forward_hook(of_discriminator, with_kwargs=True),
            register_optimizer_step_post_hook(of_optimizers),
        ]

    def remove(self) -> None:
        """Remove all hooks, and forget what was kept."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        for kept in (self._generated, self._calls, self._unsure, self.outputs):
            kept.clear()
        self.window = None

    @contextlib.contextmanager
    def rest(self) -> Iterator[None]:
        """Ignore all calls inside the block."""
        self.resting = True
        try:
            yield
        finally:
            self.resting = False

    def listen(self, listening: bool) -> None:
        """Record calls, or only count them; call this between two steps of the loop."""
        if listening and not self.listening:
            # What was recorded before does not continue without a gap.
            self.outputs.clear()
            self._calls.clear()
            self._place = 0
        self.listening = listening

    def open_window(self) -> None:
        """Open a new window, in which gradients are seen too."""
        if self._num_windows % _WINDOWS_PER_COMPARISON == 0:
            self._sorter.forget()
        self._num_windows += 1
        self.window = Window()

    def note_batches(self, real: Tensor | None, fake: Tensor | None) -> None:
        """Learn from the batches of a step which of the calls had real and which had generated images."""
        given: list[tuple[Tensor | None, Kind]] = [(real, "real"), (fake, "fake")]
        for images, kind in given:
            for form, address in self._unsure if images is not None else ():
                if images is not None and address == Batch.of(images).address:
                    self._sorter.learn(form, kind)
        self._unsure.clear()

    @property
    def last_generated(self) -> GeneratorCall | None:
        """The last call of the generator."""
        return self._generated[-1] if self._generated else None

    def end_of_step(self) -> None:
        """End the updates that no optimizer has ended: a network may have none, or none of torch."""
        has_real = any(call.has_real for call in self._calls)
        self._steps_waited = self._steps_waited + 1 if has_real else 0
        if not self._stepped:
            if has_real:
                self.num_updates["discriminator"] += 1
                self._end_discriminator_update(None)
            if any(call.attached for call in self._calls):
                self.num_updates["generator"] += 1
                self._end_generator_update(None)
        elif self._steps_waited >= PATIENCE:
            self._end_discriminator_update(None, has_weights=False)
        self._stepped = False

    def _generate(self, network: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if self.resting:
            return
        self.num_calls["generator"] += 1
        if not self.listening:
            return
        images = first_tensor(output)
        if images.dim() != 4:
            raise UnknownForm(f"the generator returns a tensor with {images.dim()} axes, not images")
        in_eval = self.window is not None and _in_eval(network)
        self._generated.append(GeneratorCall(Batch.of(images.detach()), *_detached(args, kwargs), in_eval))

    def _discriminate(self, network: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if self.resting:
            return
        self.num_calls["discriminator"] += 1
        if not self.listening:
            return
        images = next(
            value
            for value in (*args, *kwargs.values())
            if isinstance(value, Tensor) and value.is_floating_point() and value.dim() > 1
        )
        values = first_tensor(output)
        batch = Batch.of(images)
        last_real = next((call.batch for call in reversed(self._calls) if call.has_real), None)
        generated = [call.batch for call in self._generated]
        kind, fake_rows, form = self._sorter.sort(batch, generated, last_real, self._place)
        self._place += 1
        if form is not None:
            self._unsure.append((form, batch.address))
        has_fake = kind in ("fake", "both")
        call = DiscriminatorCall(
            kind,
            Batch(images.detach(), batch.address),
            values.detach(),
            has_fake and images.grad_fn is not None,
            self.window is not None and _in_eval(network),
            *_detached(args, kwargs),
            fake_rows,
            self._source_of(batch) if has_fake else None,
        )
        self._calls.append(call)
        if self.window is not None and values.requires_grad and kind != "penalty":
            values.register_hook(Hook(lambda gradient: self._flow_back(call, gradient), self._failed))

    def _source_of(self, batch: Batch) -> GeneratorCall | None:
        same = (call for call in self._generated if call.batch.address == batch.address)
        return next(same, self.last_generated)

    def _flow_back(self, call: DiscriminatorCall, gradient: Tensor) -> None:
        """Keep the gradient of a loss with respect to the discriminator's output; the last one counts.

        A penalty such as R1 asks for a derivative of its own before the loss.
        """
        self._order += 1
        call.gradient, call.order = gradient.detach(), self._order
        call.clear = {side: is_clear(weight) for side, weight in self._marks.items()}

    def _step(self, optimizer: Optimizer, *_: Any) -> None:
        if self.resting:
            return
        sides, held = self._sides_of(optimizer)
        self._stepped = self._stepped or bool(sides)
        for side in sides:
            self.num_updates[side] += 1
            if not self.listening:
                continue
            if not self._given:
                self.optimizers[side] = optimizer
            if self.window is not None:
                self.window.note_optimizer(side, optimizer, held, self._weights)
            own = optimizer if self._weights[side] & held else None
            if side == "discriminator":
                self._end_discriminator_update(own, has_weights=own is not None)
            else:
                self._end_generator_update(own, has_weights=own is not None)

    def _sides_of(self, optimizer: Optimizer) -> tuple[list[Side], set[int]]:
        """Return the networks that an optimizer updates, and the identities of the weights that it holds."""
        if id(optimizer) not in self._held or self.window is not None:
            held = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
            # The discriminator's update comes first.
            names: tuple[Side, ...] = ("discriminator", "generator")
            sides: list[Side] = [side for side in names if self._weights[side] & held]
            if self._given:
                sides = [side for side in names if self.optimizers[side] is optimizer] or sides
            self._held[id(optimizer)] = sides, held
        return self._held[id(optimizer)]

    def _end_discriminator_update(self, optimizer: Optimizer | None, *, has_weights: bool = True) -> None:
        """Attribute the calls since the last update; without weights, none of the network's change."""
        self._place = 0
        real = [call for call in self._calls if call.has_real]
        fakes = [call for call in self._calls if call.has_fake]
        detached = [call for call in fakes if not call.attached]
        fake = detached or fakes[:1]
        if real and fake:
            self._keep_output(real[-1], fake[0])
        if self.window is not None:
            update = Update("discriminator", self.networks["discriminator"], optimizer, real, fake)
            self.window.note(update)
            first = _first(real + fake)
            if first is not None and first.clear is not None:
                if has_weights:
                    self.window.note_clear("discriminator", first.clear["discriminator"])
                flows = any(call.attached and call.order for call in fake)
                self._into_generator = first.clear["generator"] if flows else None
        rest = [call for call in fakes if call.attached and call not in fake][-PATIENCE:]
        self._calls = deque(rest, maxlen=_MOST_CALLS)

    def _end_generator_update(self, optimizer: Optimizer | None, *, has_weights: bool = True) -> None:
        """Attribute the calls since the last update; without weights, none of the network's change."""
        self._place = 0
        attached = [call for call in self._calls if call.attached]
        if self.window is not None:
            self.window.note(Update("generator", self.networks["generator"], optimizer, [], attached))
            first = _first(attached)
            if has_weights and first is not None and first.clear is not None:
                self._note_generator_gradients(self.window, first.clear["generator"])
        self._into_generator = None
        # Both networks are updated together if generated images are there for the discriminator's update;
        # otherwise what remains belongs to this update, as in a loss that compares pairs.
        is_simultaneous = any(call.has_fake and not call.attached for call in self._calls)
        rest = [call for call in self._calls if not call.attached] if is_simultaneous else []
        self._calls = deque(rest, maxlen=_MOST_CALLS)

    def _note_generator_gradients(self, window: Window, clear: Tensor | bool) -> None:
        """Note whether the gradients were clear before the generator's loss, and if not, where they are from.

        They come from the discriminator's loss if they were clear before that.
        """
        before = self._into_generator
        leaked = _and(_not(clear), before) if before is not None else False
        window.note_leak(leaked)
        window.note_clear("generator", _or(clear, leaked))

    def _keep_output(self, real_call: DiscriminatorCall, fake_call: DiscriminatorCall) -> None:
        """Keep the discriminator's output of an update; that of a smaller last batch is left out."""
        real = real_call.rows(real_call.output, fake=False)
        fake = fake_call.rows(fake_call.output, fake=True)
        num = min(len(real), len(fake))
        if self.outputs and num < len(self.outputs[0][0]):
            return
        if self.outputs and num > len(self.outputs[0][0]):
            self.outputs.clear()
        self.outputs.append((real[:num], fake[:num]))


def _detached(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments without their graph, which would take memory."""
    return (
        tuple(value.detach() if isinstance(value, Tensor) else value for value in args),
        {name: value.detach() if isinstance(value, Tensor) else value for name, value in kwargs.items()},
    )


def _first(calls: Sequence[DiscriminatorCall]) -> DiscriminatorCall | None:
    """Return the call whose gradients came first; None if none came."""
    return min((call for call in calls if call.order), key=lambda call: call.order, default=None)


def _smallest_matrix(weights: Sequence[Tensor]) -> Tensor | None:
    """Return the smallest weight of a layer; biases may rightly have gradients of 0."""
    return min((weight for weight in weights if weight.dim() > 1), key=torch.Tensor.numel, default=None)


def _in_eval(network: nn.Module) -> bool:
    """Check whether all modules that behave differently in eval mode are in it; False if there are none."""
    modules = [module for module in network.modules() if isinstance(module, _WITH_MODES)]
    return bool(modules) and not any(module.training for module in modules)


_WITH_MODES = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


def _not(value: Tensor | bool) -> Tensor | bool:
    return ~value if isinstance(value, Tensor) else not value


def _and(one: Tensor | bool, other: Tensor | bool) -> Tensor | bool:
    return one & other


def _or(one: Tensor | bool, other: Tensor | bool) -> Tensor | bool:
    return one | other
