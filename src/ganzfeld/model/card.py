"""The card of a model: it describes the weights, and suffices to build the generator.

The ladder is stored layer by layer, so a model still loads after the default ladders change.
"""

from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from ganzfeld.data.kinds import kinds, require_images
from ganzfeld.data.scales import BYTES, StoredAs, scale_of
from ganzfeld.errors import UsageError
from ganzfeld.geometry import MOST_LAYERS, Layer, Plan, transposed_size
from ganzfeld.latent import priors
from ganzfeld.networks import Generator
from ganzfeld.networks.activations import activations
from ganzfeld.networks.arguments import number_of
from ganzfeld.networks.normalisations import normalisations
from ganzfeld.networks.outputs import covers, outputs
from ganzfeld.printable import printable
from ganzfeld.record import Record

FORMAT = 1

MOST_CLASSES = 2_000
LONGEST_NAME = 255
"""The most characters of a class name, which is the limit for a folder's name."""

_Pixels = Annotated[int, Field(ge=1, le=65_536)]
_Axes = Annotated[tuple[_Pixels, ...], Field(min_length=1, max_length=3)]
_Padding = Annotated[tuple[Annotated[int, Field(ge=0, le=1024)], ...], Field(min_length=1, max_length=3)]


class LayerCard(Record):
    """One transposed convolution, per axis (height, width); see ``ganzfeld.geometry.Layer``."""

    small: _Axes
    large: _Axes
    kernel: _Axes
    stride: _Axes
    padding: _Padding

    @model_validator(mode="after")
    def _check_size(self) -> "LayerCard":
        numbers = (self.small, self.kernel, self.stride, self.padding, self.large)
        for small, kernel, stride, padding, large in zip(*numbers, strict=True):
            if transposed_size(small, kernel, stride, padding) != large:
                raise UsageError(f"a layer from {small} with kernel {kernel} does not give {large}")
        return self


class GeneratorCard(Record):
    """All arguments of ``ganzfeld.networks.Generator``."""

    layers: Annotated[tuple[LayerCard, ...], Field(min_length=1, max_length=MOST_LAYERS)]
    channels: int = Field(ge=1, le=4096)
    latent_size: int = Field(ge=1, le=65_536)
    width: int = Field(ge=1, le=4096)
    normalisation: Annotated[str, AfterValidator(normalisations.canonical)]
    activation: Annotated[str, AfterValidator(activations.canonical)]
    slope: float = Field(ge=0, le=1)
    output: Annotated[str, AfterValidator(outputs.canonical)]
    bias: bool
    num_classes: int = Field(default=0, ge=0, le=MOST_CLASSES)
    class_size: int = Field(default=0, ge=0, le=4096)

    @model_validator(mode="after")
    def _check_class_size(self) -> "GeneratorCard":
        if (self.num_classes == 0) != (self.class_size == 0):
            raise UsageError(f"num_classes {self.num_classes} does not fit class_size {self.class_size}")
        return self

    @classmethod
    def of(
        cls,
        plan: Plan,
        *,
        channels: int,
        latent_size: int,
        architecture: dict[str, Any],
        num_classes: int = 0,
        class_size: int = 0,
    ) -> "GeneratorCard":
        """Make the card of a generator from a plan and its other arguments."""
        layers = tuple(LayerCard(**vars(layer)) for layer in plan.layers)
        return cls(
            layers=layers,
            channels=channels,
            latent_size=latent_size,
            **architecture,
            num_classes=num_classes,
            class_size=class_size,
        )

    def build(self) -> Generator:
        """Build the generator, with uninitialised weights, on torch's default device."""
        plan = Plan(tuple(Layer(**layer.model_dump()) for layer in self.layers))
        return Generator(plan, **self.model_dump(exclude={"layers"}))


class ClassCard(Record):
    """A class of a generator: its name, and its number of training images."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    num_pictures: int = Field(ge=1, lt=2**40)


class Card(Record):
    """The description of a model in its file. ``classes`` are in the order of their labels 0, 1, ...

    ``kind``, ``dtype`` and ``scale`` are those of its data, so that samples come in the units of the data.
    """

    format: Literal[1] = FORMAT
    ganzfeld: str
    generator: GeneratorCard
    prior: Annotated[str, AfterValidator(priors.canonical)]
    recipe: str
    data: str
    images_seen: int = Field(ge=0, lt=2**63)
    seed: int = Field(ge=0, lt=2**63)
    classes: Annotated[tuple[ClassCard, ...], Field(max_length=MOST_CLASSES)] = ()
    kind: Annotated[str, AfterValidator(kinds.canonical)] = "image"
    dtype: Literal["uint8", "uint16", "float32"] = "uint8"
    scale: dict[str, Any] = BYTES
    weights_sha256: str = ""

    @model_validator(mode="after")
    def _check_class_names(self) -> "Card":
        if len(set(self.class_names)) != self.generator.num_classes:
            raise UsageError(
                f"there are {len(set(self.class_names))} different class names for"
                f" {self.generator.num_classes} classes"
            )
        return self

    @model_validator(mode="after")
    def _check_scale(self) -> "Card":
        low_high, shares = self.stored.scale.INTERVAL, self.stored.scale.SUMS_TO_ONE
        if not covers(self.generator.output, low_high, shares):
            raise UsageError(
                f"output {self.generator.output} does not fit the scale {self.stored.scale.name}"
            )
        return self

    @cached_property
    def stored(self) -> StoredAs:
        """How the data of the model are stored: samples are given back like that."""
        return StoredAs(scale_of(self.scale), np.dtype(self.dtype))

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, by label; empty for a model without classes."""
        return tuple(entry.name for entry in self.classes)

    @property
    def images_by_class(self) -> list[int]:
        """The number of training images of each class; empty for a model without classes."""
        return [entry.num_pictures for entry in self.classes]

    def label_of(self, name: str) -> int:
        """Return the label of a class. Raises ``UsageError`` if it is unknown or there are no classes."""
        self.require_classes(name)
        return number_of(name, self.class_names)

    def require_images(self) -> None:
        """Raise ``UsageError`` if the model makes other data than images."""
        require_images(self.kind)

    def require_classes(self, requested: object) -> None:
        """Raise ``UsageError`` if the model has no classes; the message names the requested class."""
        if not self.classes:
            name = printable(requested) if isinstance(requested, str) else requested
            raise UsageError(
                f"this model has no classes, so there is no class {name!r}",
                "For a model with classes, train with --set classes=projection on images with classes.",
            )
