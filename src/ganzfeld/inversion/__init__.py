"""Inversion of a generator: latents whose images are near to images that are given."""

from ganzfeld.inversion.images import as_targets, psnr_db
from ganzfeld.inversion.invert import METHODS, Inversion, invert, require_method

__all__ = ["METHODS", "Inversion", "as_targets", "invert", "psnr_db", "require_method"]
