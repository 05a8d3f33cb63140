"""The schema of a recipe: frozen, validated, complete, to and from JSON.

A recipe says everything, so that a run folder can be read without this program. A field that came later has a
default, what was done before it came, so that older run folders can be read.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ganzfeld.errors import UsageError
from ganzfeld.geometry import SMALLEST_SIZE, Plan, plan
from ganzfeld.kinds import require_numbers
from ganzfeld.latent import priors
from ganzfeld.losses import Loss, losses
from ganzfeld.networks.activations import activations
from ganzfeld.networks.conditions import conditions
from ganzfeld.networks.normalisations import normalisations
from ganzfeld.networks.outputs import outputs
from ganzfeld.option_values import sides_of
from ganzfeld.record import Record
from ganzfeld.stabilisers import Stabiliser, stabiliser, stabilisers


class Section(Record):
    """Base of all parts of a recipe: a truth value is no number."""

    @model_validator(mode="before")
    @classmethod
    def _takes_no_truth_for_a_number(cls, fields: Any) -> Any:
        if isinstance(fields, dict):
            require_numbers({name: field.annotation for name, field in cls.model_fields.items()}, fields)
        return fields


class Optimizer(Section):
    """Adam."""

    lr: float = Field(gt=0, le=1)
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]]


class NetworkChoices(Section):
    """What both networks choose, each on its own. ``width``: channels next to the image."""

    width: int = Field(ge=1, le=4096)
    normalisation: Annotated[str, AfterValidator(normalisations.canonical)]
    activation: Annotated[str, AfterValidator(activations.canonical)]
    slope: float = Field(ge=0, le=1)
    bias: bool
    optimizer: Optimizer

    @property
    def architecture(self) -> dict[str, Any]:
        """The choices that the network itself takes: all but the optimizer."""
        return self.model_dump(exclude={"optimizer"})


class GeneratorChoices(NetworkChoices):
    """The generator also chooses its output activation."""

    output: Annotated[str, AfterValidator(outputs.canonical)]


class LatentChoices(Section):
    """The latent vector: its prior and its number of components."""

    prior: Annotated[str, AfterValidator(priors.canonical)]
    size: int = Field(ge=1, le=65_536)


def _sides(given: Any) -> Any:
    """``smooth_sides`` may be written out."""
    words = {"one": 1, "one-sided": 1, "two": 2, "two-sided": 2, "both": 2}
    return words.get(given, given) if isinstance(given, str) else given


class LossChoices(Section):
    """The loss; see ``ganzfeld.losses.Loss`` for what the numbers mean and which go together."""

    name: Annotated[str, AfterValidator(losses.canonical)]
    smoothing: float
    smooth_sides: Annotated[int, BeforeValidator(_sides)]
    temperature: float

    @model_validator(mode="after")
    def _means_something(self) -> "LossChoices":
        self.build()
        return self

    def build(self) -> Loss:
        """The loss itself."""
        return Loss(self.name, self.smoothing, self.smooth_sides, self.temperature)


class Schedule(Section):
    """The factor on both learning rates as a function of the images seen.

    It rises linearly over ``warmup_images``, and falls from 1 to ``floor`` over the run: not at all, linearly
    or along a cosine.
    """

    warmup_images: int = Field(ge=0, lt=2**63)
    decay: Literal["none", "linear", "cosine"]
    floor: float = Field(ge=0, le=1)


def _stabilisers(given: Any) -> Any:
    """Names alone mean default settings; what is kept is complete: ``{"name": ..., **all fields}``."""
    if isinstance(given, str):
        given = [name.strip() for name in given.split(",") if name.strip() not in ("", "none")]
    if not isinstance(given, list | tuple):
        return given
    complete = []
    for settings in given:
        fields = {"name": settings} if isinstance(settings, str) else settings
        if not isinstance(fields, dict):
            raise UsageError(f"a stabiliser is a name or an object with a name, not {settings!r}")
        name = stabilisers.canonical(str(fields.get("name", "")))
        complete.append({"name": name, **stabiliser(fields).model_dump()})
    return complete


class Recipe(Section):
    """Everything that decides what is trained, but for the images and the seed.

    ``size`` is (width, height) in pixels. ``ladder`` fixes the sizes from the image down to the seed map
    (null: the default ladder of ``ganzfeld.geometry.plan``). ``ema`` is the decay per step of the moving
    average that becomes the model; 0 ships the last weights. ``mirror`` flips half of the images from left
    to right, which is right only where left and right mean the same. ``crop`` cuts a random window of the
    full size out of every image continued by reflection: the largest shift either way along each axis, as a
    share of the size, in whole pixels (0: no crops; 0.125 is usual, He et al. 2016). Nothing is scaled, since
    a generator would learn the softness of enlarged images; what it may learn are reflected borders.
    ``updates``: alternating teaches D first and G against the D just taught; simultaneous teaches both from
    the same two networks, which takes fewer passes.
    ``classes``: how the class of an image enters the discriminator, by an entry of
    ``ganzfeld.networks.conditions``; "none" trains without classes, whether the images have some or not.
    ``gain_deviation``: gains of normalisations begin at N(1, gain_deviation) instead of 1.
    ``discriminator_steps``: updates of D per update of G, each on a batch of its own (5 in WGAN-GP, Gulrajani
    et al. 2017); every step trains D, and every ``discriminator_steps``-th step trains G too.
    """

    name: str
    description: str
    notes: tuple[str, ...]
    size: Annotated[tuple[int, int], BeforeValidator(sides_of)]
    ladder: tuple[int | tuple[int, int], ...] | None
    batch: int = Field(ge=1, le=65_536)
    mirror: bool
    crop: float = Field(default=0.0, ge=0, lt=0.5)
    classes: Annotated[str, AfterValidator(conditions.canonical)] = "none"
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
    def _fits_together(self) -> "Recipe":
        if min(self.size) < SMALLEST_SIZE:
            raise UsageError(f"size {self.size[0]}x{self.size[1]} is too small: at least {SMALLEST_SIZE} px")
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
        """The ladder, with axes in the order of tensors: height, then width."""
        rungs = self.ladder and [
            (rung, rung) if isinstance(rung, int) else rung[::-1] for rung in self.ladder
        ]
        return plan(self.size[::-1], ladder=rungs)

    def build_stabilisers(self) -> list[Stabiliser]:
        """The stabilisers themselves, in the order of the recipe."""
        return [stabiliser(settings) for settings in self.stabilisers]
