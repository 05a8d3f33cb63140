"""The card of a model: what the numbers beside it are, enough to build the generator from nothing else.

The ladder is kept layer by layer, so a model outlives every change to how default ladders are chosen.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ganzfeld.errors import UsageError
from ganzfeld.geometry import Layer, Plan, transposed_size
from ganzfeld.latent import priors
from ganzfeld.networks import Generator
from ganzfeld.networks.activations import activations
from ganzfeld.networks.normalisations import normalisations
from ganzfeld.networks.outputs import outputs

FORMAT = 1

_Pixels = Annotated[int, Field(ge=1, le=65_536)]
_Axes = Annotated[tuple[_Pixels, ...], Field(min_length=1, max_length=3)]
_Padding = Annotated[tuple[Annotated[int, Field(ge=0, le=1024)], ...], Field(min_length=1, max_length=3)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class LayerCard(_Part):
    """One transposed convolution, by axis (height, width): see ``ganzfeld.geometry.Layer``."""

    small: _Axes
    large: _Axes
    kernel: _Axes
    stride: _Axes
    padding: _Padding

    @model_validator(mode="after")
    def _fits(self) -> "LayerCard":
        numbers = (self.small, self.kernel, self.stride, self.padding, self.large)
        for small, kernel, stride, padding, large in zip(*numbers, strict=True):
            if transposed_size(small, kernel, stride, padding) != large:
                raise UsageError(f"a layer from {small} with kernel {kernel} does not give {large}")
        return self


class GeneratorCard(_Part):
    """All arguments of ``ganzfeld.networks.Generator``."""

    layers: Annotated[tuple[LayerCard, ...], Field(min_length=1, max_length=32)]
    channels: int = Field(ge=1, le=4096)
    latent_size: int = Field(ge=1, le=65_536)
    width: int = Field(ge=1, le=4096)
    normalisation: Annotated[str, AfterValidator(normalisations.canonical)]
    activation: Annotated[str, AfterValidator(activations.canonical)]
    slope: float = Field(ge=0, le=1)
    output: Annotated[str, AfterValidator(outputs.canonical)]
    bias: bool

    @classmethod
    def of(
        cls, plan: Plan, *, channels: int, latent_size: int, architecture: dict[str, Any]
    ) -> "GeneratorCard":
        """The card of a generator that is to be built."""
        layers = tuple(LayerCard(**vars(layer)) for layer in plan.layers)
        return cls(layers=layers, channels=channels, latent_size=latent_size, **architecture)

    def build(self) -> Generator:
        """The generator, with uninitialised weights, on torch's current default device."""
        plan = Plan(tuple(Layer(**layer.model_dump()) for layer in self.layers))
        return Generator(plan, **self.model_dump(exclude={"layers"}))


class Card(_Part):
    """What a model file says of itself."""

    format: Literal[1] = FORMAT
    ganzfeld: str
    generator: GeneratorCard
    prior: Annotated[str, AfterValidator(priors.canonical)]
    recipe: str
    data: str
    images_seen: int = Field(ge=0)
    seed: int
    weights_sha256: str = ""
