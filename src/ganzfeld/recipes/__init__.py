"""Recipes: all settings of a run except its images and seed, as data.

The built-in recipes are the JSON files in this folder; users' files have the same format.
"""

from ganzfeld.recipes.reading import (
    changes,
    explained,
    left_out_stabilisers,
    parsed,
    read_recipe,
    recipes,
    recipes_of,
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
    "recipes_of",
    "resolve",
    "undoing",
]
