"""Kinds of data, one file each: what one item of the data is, and how it comes out of what a source stores.

An entry defines one class ``Kind``, a final subclass of ``_base.Kind``. The recipe, the manifest of a dataset
and the model card name the kind.
"""

from ganzfeld.catalogue import Catalogue
from ganzfeld.data.kinds._base import IMAGE, Kind
from ganzfeld.errors import UsageError

__all__ = ["IMAGE", "Kind", "kind_of_data", "kinds", "require_images"]

kinds = Catalogue("ganzfeld.data.kinds", "kind of data")


def kind_of_data(name: str) -> Kind:
    """Return the kind of that name; raise ``UsageError`` for an unknown one."""
    return kinds.load(name).Kind()


def require_images(kind: str) -> None:
    """Raise ``UsageError`` for data of another kind than images, where only images can be worked on."""
    if kind != IMAGE:
        raise UsageError(
            f"this works on images, and these are of the kind {kind}",
            "For other kinds: ganzfeld check, train, resume, sample and doctor.",
        )
