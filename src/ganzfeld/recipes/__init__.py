"""Recipes: everything that decides what is trained, as data.

The built-in ones are the JSON files of this folder; users' files have the same form.
"""

from ganzfeld.recipes.reading import (
    changes,
    explained,
    left_out_stabilisers,
    parsed,
    read_recipe,
    recipes,
    resolve,
    undoing,
)
from ganzfeld.recipes.schema import Recipe

__all__ = [
    "Recipe",
    "changes",
    "explained",
    "left_out_stabilisers",
    "parsed",
    "read_recipe",
    "recipes",
    "resolve",
    "undoing",
]
