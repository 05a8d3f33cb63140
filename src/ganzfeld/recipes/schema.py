"""The schema of a recipe: frozen, validated, complete, to and from JSON.

A recipe holds all its settings, so that a run folder can be understood without this program. A field that was
added later has the earlier behaviour as its default, so that older run folders can still be read.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from ganzfeld.data.kinds import IMAGE, kind_of_data, kinds
from ganzfeld.errors import UsageError
from ganzfeld.geometry import SMALLEST_SIZE, Plan, plan
from ganzfeld.kinds import require_numbers
from ganzfeld.latent import priors
from ganzfeld.losses import Loss, losses
from ganzfeld.networks.activations import activations
from ganzfeld.networks.conditions import conditions
from ganzfeld.networks.initialisations import initialisations
from ganzfeld.networks.normalisations import normalisations
from ganzfeld.networks.outputs import outputs
from ganzfeld.option_values import sides_of
from ganzfeld.printable import by_axis
from ganzfeld.record import Record
from ganzfeld.stabilisers import Stabiliser, stabiliser, stabilisers


class Section(Record):
    """The base class of all parts of a recipe; it refuses true and false where a number is expected."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_bools_for_numbers(cls, fields: Any) -> Any:
        if isinstance(fields, dict):
            require_numbers({name: field.annotation for name, field in cls.model_fields.items()}, fields)
        return fields


class Optimizer(Section):
    """The settings of Adam."""

    lr: float = Field(gt=0, le=1)
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]]


class NetworkChoices(Section):
    """The settings that each network has. ``width`` is the number of channels next to the image."""

    width: int = Field(ge=1, le=4096)
    normalisation: Annotated[str, AfterValidator(normalisations.canonical)]
    activation: Annotated[str, AfterValidator(activations.canonical)]
    slope: float = Field(ge=0, le=1)
    bias: bool
    optimizer: Optimizer

    @property
    def architecture(self) -> dict[str, Any]:
        """The settings of the network itself: all except the optimizer."""
        return self.model_dump(exclude={"optimizer"})


class GeneratorChoices(NetworkChoices):
    """The settings of the generator, which also has an output activation."""

    output: Annotated[str, AfterValidator(outputs.canonical)]


class LatentChoices(Section):
    """The latent vector: its prior and its number of components."""

    prior: Annotated[str, AfterValidator(priors.canonical)]
    size: int = Field(ge=1, le=65_536)


def _sides(value: Any) -> Any:
    """Convert ``smooth_sides`` to a number if it is written as a word."""
    words = {"one": 1, "one-sided": 1, "two": 2, "two-sided": 2, "both": 2}
    return words.get(value, value) if isinstance(value, str) else value


class LossChoices(Section):
    """The loss; ``ganzfeld.losses.Loss`` explains the numbers and which of them can be combined."""

    name: Annotated[str, AfterValidator(losses.canonical)]
    smoothing: float
    smooth_sides: Annotated[int, BeforeValidator(_sides)]
    temperature: float

    @model_validator(mode="after")
    def _check_combination(self) -> "LossChoices":
        self.build()
        return self

    def build(self) -> Loss:
        """Build the loss."""
        return Loss(self.name, self.smoothing, self.smooth_sides, self.temperature)


class Schedule(Section):
    """The factor of both learning rates as a function of the images seen.

    It rises linearly over ``warmup_images``. Over the run it falls from 1 to ``floor``, linearly or along a
    cosine, unless ``decay`` is "none".
    """

    warmup_images: int = Field(ge=0, lt=2**63)
    decay: Literal["none", "linear", "cosine"]
    floor: float = Field(ge=0, le=1)


def _stabilisers(value: Any) -> Any:
    """Complete the settings of stabilisers to ``{"name": ..., **all fields}``; a name means the defaults."""
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",") if name.strip() not in ("", "none")]
    if not isinstance(value, list | tuple):
        return value
    complete = []
    for settings in value:
        fields = {"name": settings} if isinstance(settings, str) else settings
        if not isinstance(fields, dict):
            raise UsageError(f"a stabiliser must be a name or an object with a name, not {settings!r}")
        name = stabilisers.canonical(str(fields.get("name", "")))
        complete.append({"name": name, **stabiliser(fields).model_dump()})
    return complete


def _size(value: Any, info: ValidationInfo) -> Any:
    """Return the sides of a size: one number along one axis, (width, height) along two."""
    sides = sides_of(value)
    is_pair = isinstance(sides, list | tuple) and len(sides) == 2 and sides[0] == sides[1]
    return sides[:1] if is_pair and _dims(info) == 1 else sides


def _fit_to_kind(size: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
    """Raise ``UsageError`` unless a size has as many sides as the kind of data has axes."""
    if len(size) != _dims(info):
        raise UsageError(f"size {by_axis(size)} has {len(size)} sides, and this kind of data {_dims(info)}")
    return size


def _dims(info: ValidationInfo) -> int:
    return kind_of_data(info.data.get("kind", IMAGE)).DIMS


class Recipe(Section):
    """All settings of a run except its images and seed.

    - ``kind`` is what the data are, an entry of ``ganzfeld.data.kinds``.
    - ``size`` is (width, height) in pixels, or (length,) for data along one axis.
    - ``ladder`` gives the sizes from the image down to the base map (null: the default ladder of
      ``ganzfeld.geometry.plan``).
    - ``kernel`` and ``stride`` are those of every layer of the ladder, in place of ``ladder`` (null: those of
      the default ladder). Every layer then multiplies the size by the stride; 24 and 4 are usual along one
      axis.
    - ``mirror`` flips half of the images from left to right, which is right only if left and right are
      interchangeable.
    - ``crop`` shifts every image at random and fills the border by reflection. It is the largest shift in
      either direction along each axis, as a fraction of the size, in whole pixels (0: no shift; 0.125 is
      usual, He et al. 2016). Images are not enlarged instead, since a generator would learn their blur; it
      may learn the reflected borders, though.
    - ``classes`` names the way in which the class of an image enters the discriminator, an entry of
      ``ganzfeld.networks.conditions``; "none" trains without classes even if the images have some.
    - ``updates``: alternating updates D first, then G with the updated D; simultaneous updates both from the
      same two networks, which takes fewer passes.
    - ``ema`` is the decay, per update of the generator, of the moving average that becomes the model; with 0
      the model has the last weights.
    - ``initialisation`` names how far the initial weights spread, an entry of
      ``ganzfeld.networks.initialisations``.
    - ``gain_deviation``: the gains of normalisations start at N(1, gain_deviation) instead of 1.
    - ``discriminator_steps`` is the number of D updates per G update, each on its own batch (5 in WGAN-GP,
      Gulrajani et al. 2017). Every step trains D; every ``discriminator_steps``-th step also trains G.
    """

    name: str
    description: str
    notes: tuple[str, ...]
    kind: Annotated[str, AfterValidator(kinds.canonical)] = "image"
    size: Annotated[tuple[int, ...], BeforeValidator(_size), AfterValidator(_fit_to_kind)]
    ladder: tuple[int | tuple[int, int], ...] | None
    kernel: int | None = Field(default=None, ge=2, le=256)
    stride: int | None = Field(default=None, ge=2, le=64)
    batch: int = Field(ge=1, le=65_536)
    mirror: bool
    crop: float = Field(default=0.0, ge=0, lt=0.5)
    classes: Annotated[str, AfterValidator(conditions.canonical)] = "none"
    initialisation: Annotated[str, AfterValidator(initialisations.canonical)] = "normal"
    gain_deviation: float = Field(default=0.0, ge=0, le=1)
    latent: LatentChoices
    generator: GeneratorChoices
    discriminator: NetworkChoices
    loss: LossChoices
    updates: Literal["alternating", "simultaneous"] = "alternating"
    discriminator_steps: int = Field(default=1, ge=1, le=1000)
    stabilisers: Annotated[tuple[dict[str, Any], ...], BeforeValidator(_stabilisers)]
    ema: float = Field(ge=0, lt=1)
    schedule: Schedule

    @model_validator(mode="after")
    def _check_recipe(self) -> "Recipe":
        if min(self.size) < SMALLEST_SIZE:
            raise UsageError(f"size {by_axis(self.size)} is too small: at least {SMALLEST_SIZE} px")
        for name in ("mirror", "crop"):
            if getattr(self, name) and name not in kind_of_data(self.kind).AUGMENTATIONS:
                raise UsageError(
                    f"{name} does not make another valid {self.kind} of a {self.kind}", "Leave it out."
                )
        for side in ("generator", "discriminator"):
            entry = normalisations.load(getattr(self, side).normalisation)
            if entry.ACROSS_IMAGES and self.batch < 2:
                raise UsageError(
                    f"a batch of {self.batch} leaves {side}.normalisation=batch without statistics",
                    f"Use a batch of at least 2, or --set {side}.normalisation=layer.",
                )
        self.plan()
        return self

    def plan(self) -> Plan:
        """Return the plan of the ladder, with the axes in the order of tensors: height, then width."""
        rungs = self.ladder and [rung if isinstance(rung, int) else rung[::-1] for rung in self.ladder]
        return plan(
            self.size[::-1], dims=len(self.size), ladder=rungs, kernel=self.kernel, stride=self.stride
        )

    def build_stabilisers(self) -> list[Stabiliser]:
        """Build the stabilisers, in the order of the recipe."""
        return [stabiliser(settings) for settings in self.stabilisers]
