"""The readings of a loop: fixed latents and images from its own calls, and the context of a probe."""

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn
from torch._dynamo.eval_frame import OptimizedModule
from torch.nn.parallel import DataParallel, DistributedDataParallel

from ganzfeld.data import ImageDataset
from ganzfeld.health.activation_trace import ActivationTrace, last_strides, trace_activations
from ganzfeld.health.exact import EXACT
from ganzfeld.health.forward_trace import forward
from ganzfeld.health.probe import LoopRecord, ProbeContext
from ganzfeld.health.readings.gradients import by_side
from ganzfeld.health.watched_networks import (
    CallForm,
    UnknownForm,
    WatchedDiscriminator,
    WatchedGenerator,
    WatchedNetwork,
    form_of,
    logits_of,
)
from ganzfeld.losses import Loss
from ganzfeld.metrics.quality_scale import LEAST, QualityScale
from ganzfeld.training.callbacks import Pace
from ganzfeld.training.monitors.health import num_fixed
from ganzfeld.training.monitors.readings import ReadingsMonitor
from ganzfeld.training.monitors.scale import bytes_of, reals_of
from ganzfeld.watching.calls import DiscriminatorCall
from ganzfeld.watching.comparison import DataComparison
from ganzfeld.watching.facts import LoopFacts, numbers_of, reason_of
from ganzfeld.watching.losses import recognised_loss
from ganzfeld.watching.recorder import Recorder
from ganzfeld.watching.undisturbed import undisturbed
from ganzfeld.watching.window import Window

FIXED_PER_STEP = 8
"""Latents and real images of one step that are fixed: a batch may be sorted."""

_NO_FORM = CallForm((), {}, 0, ())


class LoopMonitor(ReadingsMonitor):
    """Takes readings of a loop.

    ``note`` is called with each sentence on what cannot be read. ``anatomy`` shows the layers of the
    generator, and ``loss`` is the loss of the loop; both are None while they are not known.
    """

    def __init__(
        self, recorder: Recorder, dataset: ImageDataset, pace: Pace, note: Callable[[str], object]
    ) -> None:
        super().__init__(pace)
        self._recorder, self._note = recorder, note
        self._facts = LoopFacts(recorder, DataComparison(dataset), note)
        self._num = num_fixed(dataset.size)
        self._scale = _scale_of(dataset, self._num)
        self._fixed = _FixedRows()
        self._forms: dict[str, CallForm] = {}
        self._last_gathered: DiscriminatorCall | None = None
        self._record: LoopRecord | None = None
        self._is_callable = True
        self.ends_in_sigmoid = False
        self.anatomy: ActivationTrace | None = None
        self.loss: Loss | None = None

    @property
    def device(self) -> torch.device:
        """The device of the networks."""
        weight = next(self._recorder.networks["generator"].parameters(), None)
        return torch.device("cpu") if weight is None else weight.device

    @property
    def num_classes(self) -> int:
        """The number of classes that the loop's labels name; 0 without labels."""
        return self._fixed.num_classes

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The bounds of the generator's output activation; None if they are not known."""
        final = self.anatomy.final if self.anatomy else None
        if isinstance(final, nn.Hardtanh):
            return float(final.min_val), float(final.max_val)
        return {nn.Tanh: (-1.0, 1.0), nn.Sigmoid: (0.0, 1.0)}.get(type(final))

    @property
    def can_pass(self) -> bool:
        """Whether all fixed latents and real images are there, and the generator can be called with them."""
        return self._is_callable and len(self._fixed) >= self._num

    def quality_of(self, images: Tensor) -> Mapping[str, float]:
        """Return the parts of the quality of generated images; none, with a note, if that fails."""
        try:
            return {} if self._scale is None else self._scale.scores(self.bytes_of(images))
        except Exception as error:  # noqa: BLE001  the loop must continue
            self._note(f"the quality is left out: {reason_of(error)}")
            return {}

    def bytes_of(self, images: Tensor) -> np.ndarray:
        """Return images of the loop as bytes (N, H, W, C).

        Black and white are the ends of the output activation, or, where the loop's real images have others or
        the ends are not known, their values in these.
        """
        facts: Mapping[str, Tensor | float] = self._record.facts if self._record else {}
        low, high = self.bounds or _range_of(images)
        if "black_level" in facts and float(facts.get("range_gap", math.inf)) > EXACT["range_gap"][0].high:
            low, high = float(facts["black_level"]), float(facts["white_level"])
        return bytes_of((images.float() - low) / max(high - low, 1e-12) * 2 - 1)

    def undisturbed(self, probe: ProbeContext) -> AbstractContextManager[object]:
        """Return the context in which passes through the networks leave no trace."""
        return undisturbed(list(self._recorder.networks.values()), self.device)

    def read(self, entry: ModuleType, probe: ProbeContext) -> Mapping[str, Tensor | float]:
        """Take one group of readings; none, with a note, if it fails for these networks."""
        group = entry.__name__.rpartition(".")[2]
        if group == "classes" and not self._fixed.has_real_classes:
            return {}
        try:
            return entry.read(probe)
        except Exception as error:  # noqa: BLE001  any network may be given, and the loop must continue
            self._note(f"readings of {group} are left out: {reason_of(error)}")
            return {}

    def take_readings(self, seconds: float, everything: bool = False) -> dict[str, float]:
        """Take readings; see ``ReadingsMonitor``. The open window ends."""
        with self._recorder.rest():
            numbers = super().take_readings(seconds, everything)
        self._recorder.window = None
        return numbers

    def gather(self) -> None:
        """Keep some latents and real images of the last step, until there are enough."""
        window = self._recorder.window
        if window is None or self.can_pass or not (window.real_calls and window.fake_calls):
            return
        real, source = window.real_calls[-1], window.fake_calls[-1].source
        if source is None or real is self._last_gathered:
            return
        self._last_gathered = real
        try:
            generator = self._forms.setdefault("generator", form_of(source.args, source.kwargs))
            discriminator = self._forms.setdefault("discriminator", form_of(real.args, real.kwargs))
        except UnknownForm as error:
            self._note(f"readings that need images are left out, because of how a network is called: {error}")
            return
        latents = generator.tensor(generator.inputs, source.args, source.kwargs).detach()
        images, numbers = real.rows(real.images, fake=False), numbers_of(discriminator, real)
        if numbers is not None:
            self._fixed.has_real_classes = True
            numbers = real.rows(numbers, fake=False)
        elif generator.labels is not None and generator.label_form is not None:
            numbers = generator.label_form.numbers(
                generator.tensor(generator.labels, source.args, source.kwargs)
            )
        if latents.shape[1:] == generator.input_shape and images.shape[1:] == discriminator.input_shape:
            self._fixed.add(latents.flatten(1), images, numbers)

    def images(self) -> Tensor | None:
        """Return the generator's images of the fixed latents; None if they are not there yet."""
        if not self.can_pass:
            return None
        probe = self._context()
        with self._recorder.rest(), self.undisturbed(probe):
            return probe.images

    def probe(self) -> ProbeContext:
        """Return the context of the readings, with what the open window shows."""
        window = self._recorder.window or Window()
        if self.can_pass and self.anatomy is None:
            self._look_inside()
        if self.loss is None:
            self.loss = recognised_loss(self._lessons(window))
        gradients: dict[str, Tensor | float] = {}
        for side, values in window.gradients.items():
            gradients |= by_side(side, values)
        facts = self._facts.read(window, self.bounds, self._forms.get("discriminator"))
        self._record = LoopRecord(gradients, facts)
        return self._context()

    def _context(self) -> ProbeContext:
        """Return the context with what is known; before there are images, it holds none."""
        recorder, anatomy = self._recorder, self.anatomy
        networks = {side: unwrapped(network) for side, network in recorder.networks.items()}
        generator = WatchedGenerator(
            networks["generator"],
            self._forms.get("generator", _NO_FORM),
            anatomy.final if anatomy else None,
            last_strides(anatomy.enlargements) if anatomy else (),
            self.num_classes,
        )
        discriminator = WatchedDiscriminator(
            networks["discriminator"],
            self._forms.get("discriminator", _NO_FORM),
            ends_in_sigmoid=self.ends_in_sigmoid,
        )
        latents, reals, labels = self._fixed.rows(self._num if self.can_pass else 0)
        logits = self._logits()
        batch = len(recorder.outputs[-1][0]) if recorder.outputs else 1
        real_logits, fake_logits = logits or (torch.zeros(0, batch), torch.zeros(0, batch))
        return ProbeContext(
            generator=generator,
            generator_ema=generator,
            discriminator=discriminator,
            generator_optimizer=recorder.optimizers["generator"],
            discriminator_optimizer=recorder.optimizers["discriminator"],
            loss=self.loss,
            real_logits=real_logits,
            fake_logits=fake_logits,
            latents=latents,
            real=reals,
            images_before=self._images_before,
            labels=labels,
            just_resumed=logits is None,
            loop=self._record,
        )

    def _logits(self) -> tuple[Tensor, Tensor] | None:
        """Return the logits (T, B) of real and generated images; None without any."""
        try:
            pairs = [
                [logits_of(output, ends_in_sigmoid=self.ends_in_sigmoid) for output in outputs]
                for outputs in self._recorder.outputs
            ]
        except UnknownForm as error:
            self._note(f"readings of logits are left out, because of the discriminator: {error}")
            return None
        if not pairs:
            return None
        return torch.stack([real for real, _ in pairs]), torch.stack([fake for _, fake in pairs])

    def _look_inside(self) -> None:
        """Find the layers of the generator, and whether the discriminator ends in a sigmoid."""
        probe = self._context()
        with self.undisturbed(probe):
            try:
                self.anatomy = trace_activations(
                    lambda: forward(probe.generator, probe.latents, probe.labels)
                )
            except Exception as error:  # noqa: BLE001  any network may be given, and the loop must continue
                self._is_callable = False
                self._note(f"readings that need images are left out: {reason_of(error)}")
                return
            network = unwrapped(self._recorder.networks["discriminator"])
            plain = WatchedNetwork(network, self._forms["discriminator"])  # with its output as it is
            try:
                final = trace_activations(
                    lambda: forward(plain, probe.some_real, probe.some_real_labels)
                ).final
                self.ends_in_sigmoid = isinstance(final, nn.Sigmoid)
            except Exception as error:  # noqa: BLE001
                self._note(f"the layers of the discriminator are not known: {reason_of(error)}")

    def _lessons(self, window: Window) -> dict[str, tuple[Tensor, Tensor]]:
        """Return logits and gradients by kind; where the network returns probabilities, convert both."""
        if not self.ends_in_sigmoid:
            return dict(window.lessons)
        return {
            name: (torch.logit(output.float(), 1e-7), gradient * output * (1 - output))
            for name, (output, gradient) in window.lessons.items()
        }


def _scale_of(dataset: ImageDataset, num: int) -> QualityScale | None:
    """Return the scale of quality, from one image for all latents to real images; None for few images.

    A loop may begin with a generator that is trained already, so the mean of the data is where it begins.
    """
    reals, others = reals_of(dataset, num)
    if min(len(reals), len(others)) < LEAST:
        return None
    same = np.rint(reals.mean(0, keepdims=True)).astype(np.uint8)
    return QualityScale(reals, others, same.repeat(num, 0))


def _range_of(images: Tensor) -> tuple[float, float]:
    finite = images[torch.isfinite(images)].float()
    return (float(finite.min()), float(finite.max())) if finite.numel() else (0.0, 1.0)


class _FixedRows:
    """The fixed latents, real images and class numbers, as they are gathered."""

    def __init__(self) -> None:
        self._latents: list[Tensor] = []
        self._reals: list[Tensor] = []
        self._numbers: list[Tensor] = []
        self.has_real_classes = False
        self.num_classes = 0

    def __len__(self) -> int:
        return sum(map(len, self._reals))

    def add(self, latents: Tensor, reals: Tensor, numbers: Tensor | None) -> None:
        """Keep the first rows of a step."""
        num = min(len(latents), len(reals), FIXED_PER_STEP)
        self._latents.append(latents[:num].clone())
        self._reals.append(reals[:num].clone())
        if numbers is not None:
            self._numbers.append(numbers[:num].clone())
            self.num_classes = max(self.num_classes, int(numbers.max()) + 1)

    def rows(self, num: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the first ``num`` latents, real images and class numbers (None without classes)."""
        if not num:
            return torch.empty(0, 1), torch.empty(0, 1, 1, 1), None
        latents, reals = (torch.cat(parts)[:num] for parts in (self._latents, self._reals))
        return latents, reals, torch.cat(self._numbers)[:num] if self._numbers else None


def unwrapped(network: nn.Module) -> nn.Module:
    """Return the network itself, without the wrappers of torch that compile it or run it in parallel."""
    while isinstance(network, DataParallel | DistributedDataParallel | OptimizedModule):
        network = network._orig_mod if isinstance(network, OptimizedModule) else network.module
    return network
