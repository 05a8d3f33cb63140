"""The base class of validated data: recipes, model cards, run metadata, settings."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0, lt=2**63)]


class Record(BaseModel):
    """Base of validated data: frozen, without unknown fields, with finite numbers only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def changed(self, **fields: Any) -> Self:
        """Return a copy with some fields replaced."""
        return self.model_copy(update=fields)
