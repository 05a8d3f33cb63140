"""Decide whether two images show the same, apart from what re-encoding, scaling and brightness change.

A copy differs from its original where there is detail: JPEG and scaling lose some of it, and the less the
more the image was scaled down afterwards. Two images of one kind of subject differ by the detail itself, in
at least some place. So the difference in each of 8x8 cells is compared with the detail in that cell. What
both have in common, such as a background, cancels out.

Whatever alters a copy alters all of it. Images of one kind may be equal except in one place, such as a number
on each of them, which is too small to be seen at the size of that comparison. So a pair that passes it is
compared at full size: where one place differs far more than its detail as a whole, it is another image.

The constants were chosen from copies and from different images, and tested on others: ``tools/repeats.py``
measures both, and docs/data.md shows the result.
"""

import numpy as np

MOST_SIDE = 32
"""Images are compared at half their size, and at this many pixels per side at most."""

_CELLS = 8
_ROUNDING = 1.5  # levels of 255 by which cells without detail may differ: quantised by JPEG, then rounded
_LOSS = 1.75  # most a copy loses, as a multiple of the detail, at the size of its file; 1/n of it at 1/n
_MOST_LOSS = 1.2  # independent detail differs by the square root of two
_EVEN = 12.0  # a copy loses detail everywhere: in no cell more than this times as much as in a typical one
_LEAST_LOSS = 0.1  # below which that does not matter
_EVEN_IN_FULL = 30.0  # the same at full size, where JPEG is less even: measured 18 on drawn and real copies
_SPREAD = 0.03  # share of the mean squared detail that JPEG spreads into cells without detail
_IN_OTHER_LIGHT = 0.3  # share of the loss that is accepted beside a change of brightness
_MOST_DIFFERENCE = 20.0  # levels, root-mean-square in any cell
_LEVEL = 0.5  # by which rounding alone changes a level when brightness is changed
_AT_ONCE = 2**20  # values that are compared at full size

_WHITE, _BLACK = 250, 3  # levels beyond which a change of brightness may have clipped
_TONE_STEPS = np.array([0.1, 1.0, 0.1])  # usual and greatest coefficients of the terms of ``_tone_terms``
_TONE_LIMITS = np.array([0.15, 1.2, 0.15])

_LUMA_CHROMA = np.array(
    [[0.299, -0.0422, 0.125], [0.587, -0.0828, -0.1047], [0.114, 0.125, -0.0203]], np.float32
)
"""From RGB to brightness and a quarter of the differences of colour (BT.601), which JPEG stores coarsely."""


def loss_of_detail(firsts: np.ndarray, seconds: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return how much detail separates two images, relative to the most that a copy loses, float (pairs,).

    Up to 1 they show the same; infinity means that no loss explains the difference. ``firsts`` and
    ``seconds`` are uint8 (pairs, height, width, channels), and ``scale`` is the number of pixels of the file
    per pixel of these images along one side, for the file with fewer pixels, float (pairs,).
    """
    height, width = firsts.shape[1:3]
    rows, columns = compared_side(height), compared_side(width)
    first, second = block_means(firsts, rows, columns), block_means(seconds, rows, columns)
    reduction = scale * min(height / rows, width / columns)
    detail = _detail(first, second)
    losses = _needed(first - second, detail, reduction)
    alike = np.flatnonzero(losses <= 1)
    losses[alike[_largest_difference(firsts[alike], seconds[alike]) > _MOST_DIFFERENCE]] = np.inf
    left = np.flatnonzero(losses > 1)
    if len(left):
        difference = _difference_in_light(firsts[left], seconds[left], first[left], second[left])
        in_light = _needed(difference, detail[left], reduction[left]) / _IN_OTHER_LIGHT
        losses[left] = np.minimum(losses[left], in_light)
    alike = np.flatnonzero(losses <= 1)
    for part in np.array_split(alike, firsts[alike].size // _AT_ONCE + 1):
        if len(part):
            losses[part[_differ_in_one_place(firsts[part], seconds[part])]] = np.inf
    return losses


def compared_side(side: int) -> int:
    """Return the number of pixels to which a side is reduced for the comparison."""
    return side if side < 2 * _CELLS else min(MOST_SIDE, side // 2)


def block_means(images: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return the means of (images, height, width, channels) over rows x columns blocks, as float32."""
    number, height, width, channels = images.shape
    if height % rows == 0 and width % columns == 0:
        by_rows = images.reshape(number, rows, height // rows, width, channels).sum(axis=2, dtype=np.float32)
        step = width // columns  # sums of slices, since NumPy is slow where the innermost axis is short
        sums = by_rows[:, :, ::step].copy()
        for at in range(1, step):
            sums += by_rows[:, :, at::step]
        sums /= np.float32(height * width / (rows * columns))
        return sums
    tops, lefts = np.arange(rows) * height // rows, np.arange(columns) * width // columns
    sums = np.add.reduceat(images, tops, axis=1, dtype=np.float32)
    areas = np.outer(np.diff(tops, append=height), np.diff(lefts, append=width)).astype(np.float32)
    return np.add.reduceat(sums, lefts, axis=2) / areas[:, :, None]


def local_means(values: np.ndarray) -> np.ndarray:
    """Return the means of (images, height, width, channels) over the 3x3 pixels around each pixel."""
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return (rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) / 9


def _needed(difference: np.ndarray, detail: np.ndarray, reduction: np.ndarray) -> np.ndarray:
    """Return the loss of detail that explains a difference in every cell, relative to that of a copy.

    ``detail`` is the squared detail (pairs, cells, channels), and ``reduction`` the number of pixels of the
    file per compared pixel.
    """
    squares = _cell_means(_luma_chroma(difference) ** 2)
    shares = np.sqrt(np.maximum(squares - _ROUNDING**2, 0) / detail).max(axis=(1, 2))
    brightness = detail[:, :, 0]
    has_detail = brightness >= np.median(brightness, axis=1, keepdims=True)
    typical = np.sqrt(np.nanmedian(np.where(has_detail, squares[:, :, 0] / brightness, np.nan), axis=1))
    possible = np.minimum(_MOST_LOSS, np.maximum(_LEAST_LOSS, _EVEN * typical))
    possible[squares.max(axis=(1, 2)) > _MOST_DIFFERENCE**2] = -1
    return np.where(shares <= possible, shares * reduction / _LOSS, np.inf)


def _detail(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the squared detail per cell, of the image with more of it, (pairs, cells, channels)."""
    squares = [(image - local_means(image)) ** 2 for image in map(_luma_chroma, (first, second))]
    detail = _cell_means(local_means(np.maximum(*squares)))
    return detail + _SPREAD * detail.mean(axis=1, keepdims=True) + 0.05  # levels squared: never zero


def _largest_difference(firsts: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Return the root-mean-square difference in the worst cell, at full size, float32 (pairs,)."""
    square = (firsts.astype(np.float32) - seconds) ** 2
    return np.sqrt(_cell_means(square).mean(axis=2).max(axis=1))


def _differ_in_one_place(firsts: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Return which pairs differ in one cell far more than in their detail as a whole, bool (pairs,).

    A change of brightness is removed first, since it is everywhere and would hide a difference in one place.
    """
    first, second = firsts.astype(np.float32), seconds.astype(np.float32)
    detail = _detail(first, second)
    squares = _cell_means(_luma_chroma(_difference_in_light(firsts, seconds, first, second)) ** 2)
    worst = np.sqrt(np.maximum(squares - _ROUNDING**2, 0) / detail).max(axis=(1, 2))
    # Half of the detail of an image may lie in few cells, such as a number on a blank page.
    weights = detail[:, :, 0]
    shares = np.sqrt(np.maximum(squares[:, :, 0] - _LEVEL**2, 0) / weights)
    order = np.argsort(shares, axis=1)
    below = np.take_along_axis(weights, order, axis=1).cumsum(axis=1)
    middle = (below >= below[:, -1:] / 2).argmax(axis=1)
    typical = np.take_along_axis(shares, order, axis=1)[np.arange(len(shares)), middle]
    return worst > np.maximum(_LEAST_LOSS, _EVEN_IN_FULL * typical)


def _difference_in_light(
    firsts: np.ndarray, seconds: np.ndarray, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """Return the difference of two images after the darker one was brightened like the other.

    ``first`` and ``second`` are ``firsts`` and ``seconds`` as they are compared.
    """
    swap = (first.mean(axis=(1, 2, 3)) < second.mean(axis=(1, 2, 3)))[:, None, None, None]
    bright, dark = np.where(swap, second, first), np.where(swap, first, second)
    clipped = (np.where(swap, seconds, firsts) >= _WHITE).astype(np.float32)
    near_white = local_means(block_means(clipped, *first.shape[1:3])) > 0
    usable = (~near_white & (np.minimum(bright, dark) > _BLACK)).min(axis=3, keepdims=True)
    step = 2 if min(first.shape[1:3]) == MOST_SIDE else 1  # every other pixel is enough, and faster
    coefficients = _fit_tone(*(part[:, ::step, ::step] for part in (bright, dark, usable)))
    change = np.einsum("pk,kphwc->phwc", coefficients, _tone_terms(dark))
    difference = bright - np.clip(dark + change, 0, 255)
    # Clipping removes at most what brightening has added, also from pixels that are partly white.
    added = np.einsum("pk,k->p", coefficients, _tone_terms(np.float32(230))).clip(0, 30)[:, None, None, None]
    return np.where(near_white, np.maximum(np.abs(difference) - added, 0), difference)


def _tone_terms(levels: np.ndarray | np.float32) -> np.ndarray:
    """Return the terms of a change of tone: contrast, brightness and gamma."""
    return np.stack([levels, np.full_like(levels, 10), levels * (255 - levels) / 255])


def _fit_tone(bright: np.ndarray, dark: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return the coefficients of the change of tone from ``dark`` to ``bright``, float32 (pairs, terms).

    The fit is made twice, the second time without the pixels that fit worst.
    """
    pairs = len(dark)
    terms = _tone_terms(dark).reshape(3, pairs, -1).transpose(1, 0, 2)
    target = (bright - dark).reshape(pairs, 1, -1)
    weights = np.broadcast_to(usable, dark.shape).reshape(pairs, 1, -1).astype(np.float32)
    prior = np.diag((2 / _TONE_STEPS) ** 2)  # for errors of two levels
    coefficients = np.zeros((pairs, 3), np.float32)
    for _ in range(2):
        weighted = terms * weights
        normal = (weighted @ terms.transpose(0, 2, 1)).astype(np.float64) + prior
        moments = (target * weighted).sum(axis=2, dtype=np.float64)
        solution = np.linalg.solve(normal, moments[:, :, None])[:, :, 0]
        coefficients = np.clip(solution, -_TONE_LIMITS, _TONE_LIMITS).astype(np.float32)
        errors = np.abs(target - coefficients[:, None, :] @ terms)
        number = np.maximum(weights.sum(axis=2, keepdims=True), 1)
        usual = np.sqrt((errors**2 * weights).sum(axis=2, keepdims=True) / number)
        weights = weights * (errors <= np.maximum(1, 1.5 * usual))
    return coefficients


def _luma_chroma(images: np.ndarray) -> np.ndarray:
    return images @ _LUMA_CHROMA if images.shape[3] == 3 else images


def _cell_means(values: np.ndarray) -> np.ndarray:
    """Return the means of an array of images over up to 8x8 cells, float32 (pairs, cells, channels)."""
    rows, columns = (min(_CELLS, side) for side in values.shape[1:3])
    return block_means(values, rows, columns).reshape(len(values), rows * columns, values.shape[3])
