"""The sizes of maps under strided and transposed convolutions, and the ladders of such layers.

Uses only the standard library, so that everything here can be tested exhaustively without tensors.
"""

from ganzfeld.geometry.fields import overlap, projective_field, receptive_field
from ganzfeld.geometry.plan import LARGEST_SIZE, MOST_LAYERS, SMALLEST_SIZE, Layer, Plan, plan
from ganzfeld.geometry.sizes import conv_size, transposed_size

__all__ = [
    "LARGEST_SIZE",
    "MOST_LAYERS",
    "SMALLEST_SIZE",
    "Layer",
    "Plan",
    "conv_size",
    "overlap",
    "plan",
    "projective_field",
    "receptive_field",
    "transposed_size",
]
