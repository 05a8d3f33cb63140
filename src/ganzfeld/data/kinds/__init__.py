"""Kinds of data, one file each: what one item of the data is, and how it comes out of what a source stores.

An entry defines one class ``Kind``, a final subclass of ``_base.Kind``. The recipe, the manifest of a dataset
and the model card name the kind.
"""

from ganzfeld.catalogue import Catalogue
from ganzfeld.data.kinds._base import IMAGE, Kind

__all__ = ["IMAGE", "Kind", "kind_of_data", "kinds"]

kinds = Catalogue("ganzfeld.data.kinds", "kind of data")


def kind_of_data(name: str) -> Kind:
    """Return the kind of that name; raise ``UsageError`` for an unknown one."""
    return kinds.load(name).Kind()
