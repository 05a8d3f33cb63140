"""Stabilisers of the discriminator, one file each.

An entry defines one class ``Stabiliser``, a final subclass of ``_base.Stabiliser`` (or of a base derived from
it), whose fields are its settings. A recipe lists stabilisers as ``{"name": "r1", "weight": 1.0}``, or by
name alone with the default settings.
"""

from typing import Any

from pydantic import ValidationError

from ganzfeld.catalogue import Catalogue, did_you_mean
from ganzfeld.errors import UsageError
from ganzfeld.kinds import require_numbers
from ganzfeld.stabilisers._base import GradientPenalty, Stabiliser
from ganzfeld.stabilisers._noise import SharedNoise

__all__ = ["GradientPenalty", "SharedNoise", "Stabiliser", "stabiliser", "stabilisers"]

stabilisers = Catalogue("ganzfeld.stabilisers", "stabiliser")


def stabiliser(settings: dict[str, Any]) -> Stabiliser:
    """Build a stabiliser from its settings, ``{"name": ..., **fields}``.

    Raises ``UsageError`` for an unknown name, an unknown field or a value out of range.
    """
    fields = dict(settings)
    name = stabilisers.canonical(str(fields.pop("name", "")))
    kind: type[Stabiliser] = stabilisers.load(name).Stabiliser
    fields = kind.upgrade(fields)
    unknown = sorted(set(fields) - set(kind.model_fields))
    if unknown:
        raise UsageError(
            f"stabiliser {name} has no field {unknown[0]!r}", did_you_mean(unknown[0], kind.model_fields)
        )
    try:
        require_numbers({field: known.annotation for field, known in kind.model_fields.items()}, fields)
        return kind(**fields)
    except UsageError as error:
        raise UsageError(f"stabiliser {name}: {error.message}") from None
    except ValidationError as error:
        mistake = error.errors()[0]
        where = ".".join(map(str, mistake["loc"]))
        raise UsageError(
            f"stabiliser {name}: {where} cannot be {mistake['input']!r}: {mistake['msg'].lower()}"
        ) from None
