"""The calls of the two networks of a loop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from ganzfeld.watching.sorting import Batch, Kind

Side = Literal["generator", "discriminator"]


@dataclass(frozen=True)
class GeneratorCall:
    """A call of the generator: its images, its arguments, and whether it was in eval mode."""

    batch: Batch
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    in_eval: bool


@dataclass(eq=False)
class DiscriminatorCall:
    """A call of the discriminator.

    ``output`` are the numbers that it returned, one per image or several. ``attached``: gradients flow from
    it to the generator. The other fields are set when gradients come: their values, their order, and whether
    the gradients of both networks were clear before.
    """

    kind: Kind
    batch: Batch
    output: Tensor
    attached: bool
    in_eval: bool
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    fake_rows: Tensor | None = None
    source: GeneratorCall | None = None
    gradient: Tensor | None = None
    order: int = 0
    clear: Mapping[Side, Tensor | bool] | None = None

    @property
    def images(self) -> Tensor:
        """The images (B, C, H, W)."""
        return self.batch.images

    @property
    def has_real(self) -> bool:
        """Whether real images are among its images."""
        return self.kind in ("real", "both")

    @property
    def has_fake(self) -> bool:
        """Whether generated images are among its images."""
        return self.kind in ("fake", "both")

    def rows(self, values: Tensor, *, fake: bool) -> Tensor:
        """Return the rows of the generated or of the real images."""
        if self.fake_rows is None:
            return values
        return values[self.fake_rows if fake else ~self.fake_rows]
