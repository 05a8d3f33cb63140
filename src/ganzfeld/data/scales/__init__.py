"""Scales: between the values that the data holds and the values that the networks see, one file each.

An entry defines one class ``Scale``, a final subclass of ``_base.Scale``, whose fields are what was measured
on the data. A scale is fitted once, to a whole dataset, and kept in its manifest and in the model card, as
``{"name": "linear", "low": [0.0], "high": [412.5]}``. So a model alone gives values in the units of its data.
The cache holds the values of the data, so nothing is ever scaled twice.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from ganzfeld.catalogue import Catalogue
from ganzfeld.data.scales._base import Scale
from ganzfeld.data.scales._summary import Summary, summarise
from ganzfeld.errors import UsageError

__all__ = [
    "AS_BYTES",
    "BYTES",
    "Scale",
    "StoredAs",
    "Summary",
    "fitted_scale",
    "scale_of",
    "scales",
    "settings_of",
    "summarise",
]

scales = Catalogue("ganzfeld.data.scales", "scale")

BYTES: dict[str, Any] = {"name": "bytes", "most": 255.0}
"""The scale of images, and of everything that was stored before there were scales."""


def scale_of(settings: Mapping[str, Any]) -> Scale:
    """Build a scale from its settings, ``{"name": ..., **fields}``.

    Raises ``UsageError`` for an unknown name, an unknown field or a value out of range.
    """
    fields = dict(settings)
    name = scales.canonical(str(fields.pop("name", "")))
    try:
        return scales.load(name).Scale(**fields)
    except ValidationError as error:
        mistake = error.errors()[0]
        where = ".".join(map(str, mistake["loc"])) or "it"
        raise UsageError(f"scale {name}: {where} is invalid: {mistake['msg'].lower()}") from None


def settings_of(scale: Scale) -> dict[str, Any]:
    """Return the settings of a scale as plain data, from which ``scale_of`` builds it again."""
    return {"name": scale.name, **scale.model_dump(mode="json")}


def fitted_scale(name: str, summary: Summary) -> Scale:
    """Fit the scale of that name to a summary of the values of a dataset.

    Raises ``UsageError`` for an unknown name, and ``DataError`` for values that the scale cannot take.
    """
    return scales.load(name).Scale.fit(summary)


class StoredAs(NamedTuple):
    """How data are stored: the scale between stored values and those that networks see, and their type."""

    scale: Scale
    dtype: np.dtype


AS_BYTES = StoredAs(scale_of(BYTES), np.dtype(np.uint8))
"""How images are stored."""
