"""Strided convolutions whose three maps can each be computed in several ways.

A strided convolution belongs to a family of three bilinear maps, where the derivatives of each map are the
other two:

    convolve(large, weight) -> small      the convolution of the discriminator
    spread(small, weight) -> large        its adjoint, the transposed convolution of the generator
    correlate(large, small) -> weight     the gradient of both with respect to their weight

Each map is torch's own ("direct") or one matrix product ("product") of a matrix of windows and a matrix
of weights. ``spread`` is also a convolution without stride onto the pixels of each block ("subpixel", Shi et
al. 2016), which is fast onto few channels. Which is faster depends on the layer, the map and the machine; the
results differ by rounding. A "derived" map is left to torch's autograd, so that every transform of torch.func
works on the layer. While torch traces, scripts, exports or compiles a layer, the layer is torch's own, which
other programs can run.

In the channels-last layout, the windows of a row are contiguous in memory and the weight already is the
matrix. Derivatives of any order work, as gradient penalties require.
"""

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganzfeld.geometry import transposed_size
from ganzfeld.networks.arguments import is_recorded

Way = Literal["direct", "product", "subpixel", "derived"]


class Ways(NamedTuple):
    """The way in which each of the three maps of a layer is computed."""

    convolve: Way = "direct"
    spread: Way = "direct"
    correlate: Way = "direct"


DIRECT = Ways()
FOR_IMAGES = Ways("derived", "subpixel", "derived")
"""For the last layer of a generator that makes images and is not trained."""


class Form(NamedTuple):
    """The shape of a layer: (height, width) of its large side; kernel, stride and padding per axis."""

    large: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    ways: Ways


def has_product(kernel: tuple[int, ...], stride: tuple[int, ...]) -> bool:
    """Check whether a layer's maps can be matrix products: two axes, kernels a multiple of the stride."""
    return len(kernel) == 2 and all(k % s == 0 for k, s in zip(kernel, stride, strict=True))


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, large: Tensor, weight: Tensor, bias: Tensor | None, form: Form) -> Tensor:
        ctx.save_for_backward(large, weight)
        ctx.form, ctx.has_bias = form, bias is not None
        if form.ways.convolve == "direct":
            return functional.conv2d(large, weight, bias, form.stride, form.padding)
        windows = _windows(large, form)
        matrix = weight.permute(0, 2, 3, 1).flatten(1).t()
        rows = windows.flatten(0, 2)
        small = rows @ matrix if bias is None else torch.addmm(bias, rows, matrix)
        return small.unflatten(0, windows.shape[:3]).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        large, weight = ctx.saved_tensors
        for_large, for_weight, for_bias, _ = ctx.needs_input_grad
        return (
            _Spread.apply(gradient, weight, None, ctx.form) if for_large else None,
            _Correlate.apply(large, gradient, ctx.form) if for_weight else None,
            gradient.sum((0, 2, 3)) if ctx.has_bias and for_bias else None,
            None,
        )


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, small: Tensor, weight: Tensor, bias: Tensor | None, form: Form) -> Tensor:
        ctx.save_for_backward(small, weight)
        ctx.form, ctx.has_bias = form, bias is not None
        if form.ways.spread == "direct":
            return functional.conv_transpose2d(small, weight, bias, form.stride, form.padding)
        if form.ways.spread == "subpixel":
            return _spread_subpixel(small, weight, bias, form)
        return _spread_product(small, weight, bias, form)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        small, weight = ctx.saved_tensors
        for_small, for_weight, for_bias, _ = ctx.needs_input_grad
        return (
            _Convolve.apply(gradient, weight, None, ctx.form) if for_small else None,
            _Correlate.apply(gradient, small, ctx.form) if for_weight else None,
            gradient.sum((0, 2, 3)) if ctx.has_bias and for_bias else None,
            None,
        )


class _Correlate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, large: Tensor, small: Tensor, form: Form) -> Tensor:
        ctx.save_for_backward(large, small)
        ctx.form = form
        shape = (small.shape[1], large.shape[1], *form.kernel)
        if form.ways.correlate == "direct":
            weight = small.new_empty(shape).contiguous(memory_format=torch.channels_last)
            _, gradient, _ = torch.ops.aten.convolution_backward(
                *(small, large, weight, None, form.stride, form.padding, (1, 1), False, (0, 0), 1),
                (False, True, False),
            )
            return gradient
        rows = small.permute(0, 2, 3, 1).flatten(0, 2)
        product = rows.t() @ _windows(large, form).flatten(0, 2)
        return product.view(shape[0], *form.kernel, shape[1]).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        large, small = ctx.saved_tensors
        for_large, for_small, _ = ctx.needs_input_grad
        return (
            _Spread.apply(small, gradient, None, ctx.form) if for_large else None,
            _Convolve.apply(large, gradient, None, ctx.form) if for_small else None,
            None,
        )


def _spread_product(small: Tensor, weight: Tensor, bias: Tensor | None, form: Form) -> Tensor:
    matrix = weight.permute(0, 2, 3, 1).flatten(1)
    large = _overlaid(small.permute(0, 2, 3, 1) @ matrix, form, weight.shape[1]).permute(0, 3, 1, 2)
    return large if bias is None else large + bias.view(-1, 1, 1)


def _spread_subpixel(small: Tensor, weight: Tensor, bias: Tensor | None, form: Form) -> Tensor:
    """Compute all pixels of a block the size of the stride at once, as channels of a convolution.

    A block is reached by as many small positions along each axis as the kernel has strides, so these are the
    kernel; its pixels are then put side by side.
    """
    (stride_y, stride_x), (pad_y, pad_x), (height, width) = form.stride, form.padding, form.large
    blocks_y, blocks_x = form.kernel[0] // stride_y, form.kernel[1] // stride_x
    inputs, channels = weight.shape[:2]
    cut = weight.view(inputs, channels, blocks_y, stride_y, blocks_x, stride_x)
    # The convolution slides its kernel forward, a transposed one spreads it: the blocks are in reverse order.
    kernel = cut.flip(2, 4).permute(3, 5, 1, 0, 2, 4).reshape(-1, inputs, blocks_y, blocks_x)
    kernel = kernel.contiguous(memory_format=torch.channels_last)
    repeated = None if bias is None else bias.repeat(stride_y * stride_x)
    blocks = functional.conv2d(small, kernel, repeated, padding=(blocks_y - 1, blocks_x - 1))
    pixels = blocks.permute(0, 2, 3, 1).unflatten(3, (stride_y, stride_x, channels)).transpose(2, 3)
    canvas = pixels.flatten(3, 4).flatten(1, 2)
    return canvas[:, pad_y : pad_y + height, pad_x : pad_x + width].permute(0, 3, 1, 2)


def _windows(large: Tensor, form: Form) -> Tensor:
    """Gather from (B, C, H, W) the window of each small position: (B, h, w, kernel * kernel * C)."""
    (kernel_y, kernel_x), (pad_y, pad_x), (stride_y, stride_x) = form.kernel, form.padding, form.stride
    padded = functional.pad(large.permute(0, 2, 3, 1), (0, 0, pad_x, pad_x, pad_y, pad_y)).contiguous()
    batch, height, width, channels = padded.shape
    image_step, row_step, pixel_step, _ = padded.stride()
    rows, columns = (height - kernel_y) // stride_y + 1, (width - kernel_x) // stride_x + 1
    view = padded.as_strided(
        (batch, rows, columns, kernel_y, kernel_x * channels),
        (image_step, stride_y * row_step, stride_x * pixel_step, row_step, 1),
    )
    return view.reshape(batch, rows, columns, -1)


def _overlaid(windows: Tensor, form: Form, channels: int) -> Tensor:
    """Add overlapping windows up to maps (B, H, W, C); the adjoint of ``_windows``.

    Each window is cut into blocks the size of the stride. The blocks at the same position in their windows do
    not overlap and leave no gaps, so there is one addition per position.
    """
    batch, rows, columns, _ = windows.shape
    (stride_y, stride_x), (pad_y, pad_x) = form.stride, form.padding
    blocks_y, blocks_x = form.kernel[0] // stride_y, form.kernel[1] // stride_x
    blocks = windows.view(batch, rows, columns, blocks_y, stride_y, blocks_x, stride_x, channels)
    canvas = windows.new_zeros(
        batch, rows + blocks_y - 1, stride_y, columns + blocks_x - 1, stride_x, channels
    )
    for y in range(blocks_y):
        for x in range(blocks_x):
            canvas[:, y : y + rows, :, x : x + columns] += blocks[:, :, :, y, :, x].transpose(2, 3)
    height, width = form.large
    return canvas.flatten(3, 4).flatten(1, 2)[:, pad_y : pad_y + height, pad_x : pad_x + width]


def convolve(large: Tensor, weight: Tensor, bias: Tensor | None, form: Form) -> Tensor:
    """Convolve (B, C, H, W) with (c, C, *kernel) to (B, c, h, w), and add ``bias`` (c,)."""
    return _Convolve.apply(large, weight, bias, form)


def spread(small: Tensor, weight: Tensor, bias: Tensor | None, form: Form) -> Tensor:
    """Convolve (B, c, h, w) transposed with (c, C, *kernel) to (B, C, H, W), and add ``bias`` (C,)."""
    if form.ways == FOR_IMAGES:
        return _spread_subpixel(small, weight, bias, form)
    return _Spread.apply(small, weight, bias, form)


def correlate(large: Tensor, small: Tensor, form: Form) -> Tensor:
    """Correlate (B, C, H, W) with (B, c, h, w) to the gradient of the weight, (c, C, *kernel)."""
    return _Correlate.apply(large, small, form)


class StridedConvolution(nn.Conv2d):
    """``nn.Conv2d`` that computes its maps as ``ways`` says, with the same parameters and results."""

    ways = DIRECT

    def forward(self, input: Tensor) -> Tensor:
        """Convolve (B, C, H, W) to (B, outputs, h, w)."""
        if not torch.jit.is_scripting():  # noqa: SIM102  # pyright: ignore[reportPrivateImportUsage]
            if self.ways != DIRECT and not is_recorded(input):  # nested, so that TorchScript skips it
                return self._compute_by_ways(input)
        return self._conv_forward(input, self.weight, self.bias)

    def _compute_by_ways(self, input: Tensor) -> Tensor:
        large, weight, bias = _cast_for_autocast(input, self.weight, self.bias)
        return convolve(large, weight, bias, form_of(self, (large.shape[2], large.shape[3])))


class StridedTransposedConvolution(nn.ConvTranspose2d):
    """``nn.ConvTranspose2d`` that computes its maps as ``ways`` says."""

    ways = DIRECT

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Convolve (B, C, h, w), transposed, to (B, outputs, H, W)."""
        if not torch.jit.is_scripting():  # noqa: SIM102  # pyright: ignore[reportPrivateImportUsage]
            if self.ways != DIRECT and not is_recorded(input):  # nested, so that TorchScript skips it
                return self._compute_by_ways(input)
        return functional.conv_transpose2d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,  # pyright: ignore[reportArgumentType]  never a string here
        )

    def _compute_by_ways(self, input: Tensor) -> Tensor:
        small, weight, bias = _cast_for_autocast(input, self.weight, self.bias)
        return spread(small, weight, bias, form_of(self, (small.shape[2], small.shape[3])))


def form_of(layer: StridedConvolution | StridedTransposedConvolution, size: tuple[int, int]) -> Form:
    """Return the form of a layer for inputs of that size (height, width)."""
    assert not isinstance(layer.padding, str)
    kernel, stride, padding = layer.kernel_size, layer.stride, layer.padding
    large = size
    if isinstance(layer, StridedTransposedConvolution):
        height, width = (
            transposed_size(small, *numbers)
            for small, *numbers in zip(size, kernel, stride, padding, strict=True)
        )
        large = (height, width)
    return Form(large, kernel, stride, padding, layer.ways)


def _cast_for_autocast(
    input: Tensor, weight: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Cast all arguments to one precision, as autocast does for torch's own layers."""
    kind = input.device.type
    if not torch.amp.is_autocast_available(kind) or not torch.is_autocast_enabled(kind):
        return input, weight, bias
    precision = torch.get_autocast_dtype(kind)
    return input.to(precision), weight.to(precision), None if bias is None else bias.to(precision)
