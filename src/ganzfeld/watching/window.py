"""A few steps of a loop, watched closely: what they show of how the loop trains its networks."""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganzfeld.health.readings import readings
from ganzfeld.watching.calls import DiscriminatorCall, Side

LEAST_STEPS, ENOUGH_STEPS = 4, 16
LEAST_UPDATES = 2
REALS_PER_STEP = 16
MOST_REALS = 128
MOST_CALLS = 4
VALUES_PER_WEIGHT = 4096


@dataclass(frozen=True)
class Update:
    """An update of one network: its optimizer, and the discriminator's calls whose loss it lowers."""

    side: Side
    network: nn.Module
    optimizer: Optimizer | None
    real: Sequence[DiscriminatorCall]
    fake: Sequence[DiscriminatorCall]


@dataclass
class Window:
    """What was seen since the window was opened.

    ``reals`` are real images (n, C, H, W) as the discriminator got them. ``real_calls`` and ``fake_calls``
    are the calls of the discriminator's last updates. ``lessons`` are outputs of the discriminator with the
    gradients of a loss, by the kind of images and of update.
    """

    num_steps: int = 0
    num_updates: dict[Side, int] = field(default_factory=lambda: {"generator": 0, "discriminator": 0})
    reals: list[Tensor] = field(default_factory=list)
    real_calls: deque[DiscriminatorCall] = field(default_factory=lambda: deque(maxlen=MOST_CALLS))
    fake_calls: deque[DiscriminatorCall] = field(default_factory=lambda: deque(maxlen=MOST_CALLS))
    lessons: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    gradients: dict[Side, dict[str, Tensor]] = field(default_factory=dict)
    _weights: dict[Side, dict[int, Tensor]] = field(default_factory=dict)
    _values: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))
    _optimizers: dict[Side, set[int]] = field(default_factory=lambda: defaultdict(set))
    _others: dict[Side, float] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        """Whether enough was seen for readings."""
        few = min(self.num_updates.values()) < LEAST_UPDATES
        return self.num_steps >= (ENOUGH_STEPS if few else LEAST_STEPS)

    def note(self, update: Update) -> None:
        """Note an update of a network."""
        side = update.side
        self.num_updates[side] += 1
        if side == "discriminator":
            self._note_push("push_real", update.real, fake=False)
            self._note_push("push_fake", update.fake, fake=True)
            self._note_mode(side, [call.in_eval for call in update.real])
            self._keep_images(update)
        else:
            self._note_push("push_generator", update.fake, fake=True)
            self._note_mode(side, [call.source.in_eval for call in update.fake if call.source])
        if self.num_updates[side] <= LEAST_UPDATES:
            read = readings.load("gradients").read_network(update.network, update.optimizer)
            self.gradients[side] = dict(read)
            self._note_size(update)

    def note_clear(self, side: Side, clear: Tensor | bool) -> None:
        """Note whether the gradients of a network were clear when its update began."""
        self._note(f"cleared_{side}", clear)

    def note_leak(self, leaked: Tensor | bool) -> None:
        """Note whether the generator's update uses gradients of the discriminator's loss."""
        self._note("leaked_gradients", leaked)

    def note_optimizer(
        self, side: Side, optimizer: Optimizer, held: set[int], weights: Mapping[Side, set[int]]
    ) -> None:
        """Note a step of the optimizer of a network; ``held`` are the identities of its weights."""
        self._optimizers[side].add(id(optimizer))
        other: Side = "discriminator" if side == "generator" else "generator"
        share = len(held & weights[other]) / max(1, len(held))
        self._others[side] = max(share, self._others.get(side, 0.0))

    def facts(self) -> dict[str, Tensor | float]:
        """Return the readings of the window."""
        result: dict[str, Tensor | float] = {
            # On a GPU, some of the values are there and some are not.
            name: torch.stack([value.cpu() for value in values]).nanmean()
            for name, values in self._values.items()
        }
        for side in self.num_updates if self.num_steps else ():
            result[f"optimizers_{side}"] = float(len(self._optimizers[side]))
            if side in self._others:
                result[f"others_weights_{side}"] = self._others[side]
        # Where a derivative of the logits alone was asked for, no push is known.
        return {
            name: value for name, value in result.items() if not name.startswith("push") or not _is_nan(value)
        }

    def _note(self, name: str, value: Tensor | bool | float) -> None:
        self._values[name].append(torch.as_tensor(value).float())

    def _note_mode(self, side: Side, in_eval: Sequence[bool]) -> None:
        if in_eval:
            self._note(f"eval_mode_{side}", all(in_eval))

    def _note_size(self, update: Update) -> None:
        """Note the relative size of an update, by comparing weights before and after it.

        Optimizers other than Adam do not show it by themselves.
        """
        before, now = self._weights.get(update.side, {}), _some_weights(update.network)
        self._weights[update.side] = now
        pairs = [(before[key], now[key]) for key in before.keys() & now.keys()]
        if pairs and "update_ratio" not in self.gradients[update.side]:
            ratios = [(after - old).norm() / after.norm().clamp_min(1e-12) for old, after in pairs]
            self.gradients[update.side]["update_ratio"] = torch.stack(ratios).median()

    def _note_push(self, name: str, calls: Sequence[DiscriminatorCall], *, fake: bool) -> None:
        """Note in which direction a loss moves the logits: 1 up, -1 down."""
        for call in calls:
            if call.gradient is not None:
                gradient = call.rows(call.gradient, fake=fake).float()
                push = -gradient.sign().mean()
                # The derivative of a sum of logits is that of a penalty, not of a loss.
                self._note(name, torch.where((gradient == 1).all(), torch.nan, push))
                self.lessons[name] = (call.rows(call.output, fake=fake), gradient)

    def _keep_images(self, update: Update) -> None:
        self.real_calls.extend(update.real[-1:])
        self.fake_calls.extend(update.fake[:1])
        if update.real and sum(map(len, self.reals)) < MOST_REALS:
            # A loop may change its batch in place later.
            call = update.real[-1]
            self.reals.append(call.rows(call.images, fake=False)[:REALS_PER_STEP].clone())


def _some_weights(network: nn.Module) -> dict[int, Tensor]:
    """Return copies of evenly spaced values of the weights of every layer, by the weights' identities."""
    weights = [weight for weight in network.parameters() if weight.requires_grad and weight.dim() > 1]
    return {
        id(weight): weight.detach().flatten()[:: max(1, weight.numel() // VALUES_PER_WEIGHT)].clone()
        for weight in weights
    }


def is_clear(weight: Tensor | None) -> Tensor | bool:
    """Return whether a weight has no gradient yet, or one of 0: a scalar on its device."""
    if weight is None or weight.grad is None:
        return True
    return (weight.grad == 0).all()


def _is_nan(value: Tensor | float) -> bool:
    return bool(torch.as_tensor(value).isnan())
