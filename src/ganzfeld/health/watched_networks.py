"""The networks of somebody else's loop, called as Ganzfeld calls its own: with inputs and class numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_EPSILON = 1e-7
"""The least distance from 0 and 1 of a probability that is turned into a logit."""


class UnknownForm(Exception):
    """A network is called in a way that cannot be repeated with other inputs; the text says why."""


@dataclass(frozen=True)
class LabelForm:
    """How a loop gives classes: as whole numbers (B, ...), or one-hot (B, classes, ...).

    ``shape`` is the shape of one image's label, ``one_hot`` tells which of the two it is.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    one_hot: bool

    def numbers(self, labels: Tensor) -> Tensor:
        """Return the class numbers (B,) of labels as the loop gives them."""
        if self.one_hot:
            return labels.flatten(2).select(2, 0).argmax(1) if labels.dim() > 2 else labels.argmax(1)
        return labels.flatten(1)[:, 0].long() if labels.dim() > 1 else labels.long()

    def labels(self, numbers: Tensor) -> Tensor:
        """Return class numbers (B,) as the loop gives them."""
        trailing = [1] * (len(self.shape) - 1)
        if self.one_hot:
            planes = functional.one_hot(numbers, self.shape[0]).to(self.dtype)
            return planes.view(len(numbers), self.shape[0], *trailing).expand(-1, *self.shape)
        return numbers.to(self.dtype).view(len(numbers), *[1] * len(self.shape)).expand(-1, *self.shape)


@dataclass(frozen=True)
class CallForm:
    """How a loop calls a network: all arguments of one call, and which of them are inputs and labels.

    ``inputs`` and ``labels`` are the position or the name of an argument. ``input_shape`` is the shape of
    one input.
    """

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    inputs: int | str
    input_shape: tuple[int, ...]
    labels: int | str | None = None
    label_form: LabelForm | None = None

    def tensor(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor:
        """Return the inputs or labels of another call."""
        return args[key] if isinstance(key, int) else kwargs[key]

    def call(self, network: nn.Module, inputs: Tensor, numbers: Tensor | None) -> Any:
        """Call the network as the loop does, with these inputs (B, n) and class numbers (B,)."""
        args, kwargs = list(self.args), dict(self.kwargs)
        changes: list[tuple[int | str, Tensor]] = [(self.inputs, inputs.view(-1, *self.input_shape))]
        if self.labels is not None and self.label_form is not None:
            if numbers is None:
                raise UnknownForm("it takes labels, and those of the real images are not known")
            changes.append((self.labels, self.label_form.labels(numbers)))
        for key, value in changes:
            if isinstance(key, int):
                args[key] = value
            else:
                kwargs[key] = value
        return network(*args, **kwargs)


def form_of(args: Sequence[Any], kwargs: Mapping[str, Any]) -> CallForm:
    """Return the form of a call. Raises ``UnknownForm`` if it has other tensors than inputs and labels."""
    tensors = [(key, value) for key, value in _items(args, kwargs) if isinstance(value, Tensor)]
    batched = [(key, value) for key, value in tensors if value.dim()]
    if not batched or not batched[0][1].is_floating_point():
        raise UnknownForm("its first tensor is not a batch of floating-point numbers")
    (key, inputs), *others = batched
    others = [(other, value) for other, value in others if len(value) == len(inputs)]
    form = CallForm(tuple(args), dict(kwargs), key, tuple(inputs.shape[1:]))
    # Batches are replaced in every call, and would take memory.
    form = _without(form, [key])
    if not others:
        return form
    if len(others) > 1:
        raise UnknownForm(f"it is called with {1 + len(others)} batches of tensors")
    label_key, labels = others[0]
    return replace(_without(form, [label_key]), labels=label_key, label_form=_label_form(labels))


def _items(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[tuple[int | str, Any]]:
    yield from enumerate(args)
    yield from kwargs.items()


def _without(form: CallForm, keys: Sequence[int | str]) -> CallForm:
    args = tuple(None if position in keys else value for position, value in enumerate(form.args))
    return replace(form, args=args, kwargs={k: None if k in keys else v for k, v in form.kwargs.items()})


def _label_form(labels: Tensor) -> LabelForm:
    shape = tuple(labels.shape[1:])
    values = labels.flatten(1) if labels.dim() > 1 else labels[:, None]
    if len(shape) and shape[0] > 1:
        planes = labels.flatten(2).select(2, 0) if labels.dim() > 2 else labels
        if bool(((planes == 0) | (planes == 1)).all()) and bool((planes.sum(1) == 1).all()):
            return LabelForm(shape, labels.dtype, one_hot=True)
    if labels.is_floating_point() or labels.dtype == torch.bool or bool((values != values[:, :1]).any()):
        raise UnknownForm("its second tensor is neither class numbers nor one-hot")
    return LabelForm(shape, labels.dtype, one_hot=False)


class WatchedNetwork(nn.Module):
    """A network of a loop, called with inputs (B, n) and, with classes, their numbers (B,)."""

    def __init__(self, network: nn.Module, form: CallForm) -> None:
        super().__init__()
        self.network = network
        self.form = form

    def forward(self, inputs: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the output of the network for a batch."""
        return first_tensor(self.form.call(self.network, inputs, labels))


class WatchedGenerator(WatchedNetwork):
    """The generator of a loop, and what readings need to know of it.

    - ``output``: the output activation; None if it is not known.
    - ``last_strides``: for each axis, the last factor above 1 by which a layer enlarges its map.
    - ``num_classes``: 0 without classes.
    """

    def __init__(
        self,
        network: nn.Module,
        form: CallForm,
        output: nn.Module | None = None,
        last_strides: tuple[int, ...] = (),
        num_classes: int = 0,
    ) -> None:
        super().__init__(network, form)
        self.output = output
        self.last_strides = last_strides
        self.num_classes = num_classes


class WatchedDiscriminator(WatchedNetwork):
    """The discriminator of a loop, with logits (B,) as its output.

    ``ends_in_sigmoid``: the network itself returns probabilities.
    """

    def __init__(self, network: nn.Module, form: CallForm, *, ends_in_sigmoid: bool = False) -> None:
        super().__init__(network, form)
        self.ends_in_sigmoid = ends_in_sigmoid

    def forward(self, inputs: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the logits (B,) of images (B, C, H, W)."""
        return logits_of(super().forward(inputs, labels), ends_in_sigmoid=self.ends_in_sigmoid)


def first_tensor(output: Any) -> Tensor:
    """Return the output of a network, or the first tensor of several outputs."""
    if isinstance(output, Tensor):
        return output
    values = output.values() if isinstance(output, Mapping) else output
    if isinstance(values, Sequence) or isinstance(output, Mapping):
        for value in values:
            if isinstance(value, Tensor):
                return value
    raise UnknownForm(f"it returns a {type(output).__name__}, not a tensor")


def logits_of(output: Tensor, *, ends_in_sigmoid: bool) -> Tensor:
    """Return one logit per image (B,); of a map of logits (B, 1, h, w), its mean."""
    if output.dim() > 1 and output.shape[1] > 1:
        raise UnknownForm(f"it returns {output.shape[1]} numbers per image, not one logit")
    logits = output.flatten(1).float() if output.dim() > 1 else output[:, None].float()
    return (torch.logit(logits, _EPSILON) if ends_in_sigmoid else logits).mean(1)
