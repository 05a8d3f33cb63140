"""``ganzfeld plan``."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzfeld.cli.speech import Json, show_result
from ganzfeld.errors import UsageError
from ganzfeld.printable import by_axis, printable

if TYPE_CHECKING:
    from ganzfeld.geometry import Plan
    from ganzfeld.recipes import Recipe

LONGEST_SIZE = 9
"""Digits."""


def command(
    size: Annotated[str, typer.Argument(help="Image size in pixels: N, WxH or WxHxD.")],
    recipe: Annotated[str, typer.Option(help="Recipe whose networks are shown.")] = "modern",
    dims: Annotated[
        int | None, typer.Option(help="Dimensions of the images: 1, 2 or 3. Default: those of SIZE, or 2.")
    ] = None,
    ladder: Annotated[
        str | None, typer.Option(help="Sizes from the image to the base map, such as 96,32,16,8,3.")
    ] = None,
    kernel: Annotated[
        int | None,
        typer.Option(
            help="Kernel of every layer. Default: that of the recipe, or two strides (three if odd).",
            min=2,
            max=256,
        ),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(help="Stride of every layer. Default: that of the recipe, or 2.", min=2, max=64),
    ] = None,
    channels: Annotated[int, typer.Option(help="Channels of the images.", min=1, max=4096)] = 3,
    json: Json = False,
) -> None:
    """Show the ladder of layers for an image size.

    Shows the size, kernel, field and overlap of every layer, and the parameters and FLOPs of both networks.

    Example: ganzfeld plan 96 --ladder 96,32,16,8,3
    """
    from ganzfeld.data.kinds import IMAGE, kind_of_data
    from ganzfeld.geometry import plan
    from ganzfeld.recipes import read_recipe

    rungs = None if ladder is None else [sizes_of(rung) for rung in ladder.split(",")]
    sides, chosen = sizes_of(size), read_recipe(recipe)
    if rungs is None and kernel is None and stride is None:
        kernel, stride = chosen.kernel, chosen.stride
    if dims is None and chosen.kind != IMAGE and isinstance(sides, int):
        dims = kind_of_data(chosen.kind).DIMS
    ladder_plan = plan(sides, dims=dims, ladder=rungs, kernel=kernel, stride=stride)
    described = describe(ladder_plan, chosen, channels)
    show_result(described, _text(described, ladder_plan), json)


def sizes_of(text: str) -> int | tuple[int, ...]:
    """Return the number or numbers of ``64`` or ``33x47``. Raises ``UsageError`` for anything else."""
    parts = text.strip().lower().split("x")
    are_numbers = all(part.isdecimal() for part in parts)
    if are_numbers and any(len(part) > LONGEST_SIZE for part in parts):
        raise UsageError(
            f"{printable(text, 40)} is too large a size", f"At most {LONGEST_SIZE} digits are read."
        )
    if not 1 <= len(parts) <= 3 or not are_numbers:
        raise UsageError(
            f"'{printable(text, 60)}' is not a size", "Write one number, 64, or one per axis, 96x160."
        )
    numbers = tuple(map(int, parts))
    return numbers[0] if len(numbers) == 1 else numbers


def describe(ladder_plan: "Plan", recipe: "Recipe", channels: int) -> dict[str, Any]:
    """Return both networks layer by layer, from input to output, as in the JSON output."""
    import torch

    from ganzfeld.networks import Discriminator, Generator

    with torch.device("meta"):
        networks = {
            "generator": Generator(
                ladder_plan,
                channels=channels,
                latent_size=recipe.latent.size,
                **recipe.generator.architecture,
            ),
            "discriminator": Discriminator(
                ladder_plan, channels=channels, **recipe.discriminator.architecture
            ),
        }
    upward = list(zip(ladder_plan.layers, ladder_plan.projective_fields(), strict=True))
    downward = list(zip(ladder_plan.layers[::-1], ladder_plan.receptive_fields(), strict=True))
    layers = {
        "generator": [_layer(layer, layer.large, field) for layer, field in upward],
        "discriminator": [_layer(layer, layer.small, field) for layer, field in downward],
    }
    flops = {
        "generator": ladder_plan.flops(recipe.generator.width, channels, recipe.latent.size)[0],
        "discriminator": ladder_plan.flops(recipe.discriminator.width, channels, recipe.latent.size)[1],
    }
    return {"size": list(ladder_plan.size), "seed_map": list(ladder_plan.seed), "recipe": recipe.name} | {
        side: {
            "layers": layers[side],
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "flops": flops[side],
        }
        for side, network in networks.items()
    }


def _layer(layer, size: tuple[int, ...], field: tuple[int, ...]) -> dict[str, Any]:
    return {
        "size": list(size),
        "kernel": list(layer.kernel),
        "stride": list(layer.stride),
        "padding": list(layer.padding),
        "field": list(field),
        "overlap": layer.overlap,
    }


def _text(described: dict[str, Any], ladder_plan) -> str:
    """Return the plan as text, with one table per network."""
    parts = []
    for side, first, field in (
        ("generator", described["seed_map"], "projective field of a base cell"),
        ("discriminator", described["size"], "receptive field"),
    ):
        network = described[side]
        rows: list[tuple[str, ...]] = [("from", "to", "kernel", "stride", "padding", field, "overlap")]
        before = first
        for layer in network["layers"]:
            axes = [by_axis(layer[name]) for name in ("size", "kernel", "stride", "padding", "field")]
            rows.append((by_axis(before), *axes, ",".join(map(str, layer["overlap"]))))
            before = layer["size"]
        ends = f"latent -> {by_axis(first)}" if side == "generator" else f"{by_axis(before)} -> logit"
        parts.append(
            f"{side} ({described['recipe']}): {ends}, {network['parameters']:,} parameters, "
            f"{network['flops'] / 1e9:.3f} GFLOP per image\n" + _table(rows)
        )
    uneven = [layer for layer in ladder_plan.layers if not layer.even]
    if uneven:
        where = " and ".join(by_axis(layer.large) for layer in uneven)
        parts.append(
            f"Uneven overlap at size {where}: some pixels are reached by more inputs than their neighbours, "
            "which prints a checkerboard. A stride that divides the kernel avoids it."
        )
    return "\n\n".join(parts)


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
    )
