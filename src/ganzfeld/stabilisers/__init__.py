"""What keeps a discriminator in check, one file each.

An entry defines one class ``Stabiliser``, a final subclass of ``_base.Stabiliser`` (or of a base derived from
it) whose fields are its settings. A recipe lists stabilisers as ``{"name": "r1", "weight": 1.0}``, or by name
alone for the default settings.
"""

from typing import Any

from ganzfeld.catalogue import Catalogue
from ganzfeld.stabilisers._base import Stabiliser

__all__ = ["Stabiliser", "stabiliser", "stabilisers"]

stabilisers = Catalogue("ganzfeld.stabilisers", "stabiliser")


def stabiliser(settings: dict[str, Any]) -> Stabiliser:
    """Build one from its settings, ``{"name": ..., **fields}``.

    Raises ``UsageError`` for an unknown name, ``pydantic.ValidationError`` for an unknown or bad field.
    """
    fields = dict(settings)
    name = stabilisers.canonical(str(fields.pop("name", "")))
    return stabilisers.load(name).Stabiliser(**fields)
