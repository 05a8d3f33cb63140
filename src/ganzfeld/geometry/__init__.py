"""The calculus of sizes: what strided and transposed convolutions do to a map, and the ladders made of them.

Standard library only; everything here can be checked exhaustively, without a tensor.
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
