"""Trained generators: their files, and images from them."""

from ganzfeld.model.calibration import calibrate
from ganzfeld.model.card import Card, ClassCard
from ganzfeld.model.files import Model, load, load_model, save
from ganzfeld.model.grid import columns_by_class, grid, png, write_png
from ganzfeld.model.sampling import (
    as_bytes,
    images_of_latents,
    images_of_seeds,
    labels_as_in_data,
    require_room_for,
)

__all__ = [
    "Card",
    "ClassCard",
    "Model",
    "as_bytes",
    "calibrate",
    "columns_by_class",
    "grid",
    "images_of_latents",
    "images_of_seeds",
    "labels_as_in_data",
    "load",
    "load_model",
    "png",
    "require_room_for",
    "save",
    "write_png",
]
