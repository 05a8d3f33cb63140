"""Ladders: every size is reached exactly, forth and back, evenly, and from a small seed map."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganzfeld.errors import UsageError
from ganzfeld.geometry import Plan, conv_size, plan, transposed_size


def assert_climbs(ladder: Plan) -> None:
    """Each layer's transposed convolution and convolution connect its two sizes exactly, losing no pixel."""
    for below, above in zip(ladder.layers, ladder.layers[1:], strict=False):
        assert below.large == above.small
    for layer in ladder.layers:
        numbers = (layer.small, layer.large, layer.kernel, layer.stride, layer.padding)
        for small, large, kernel, stride, padding in zip(*numbers, strict=True):
            assert transposed_size(small, kernel, stride, padding) == large
            assert conv_size(large, kernel, stride, padding) == small
            assert (large + 2 * padding - kernel) % stride == 0


@pytest.mark.parametrize("size", [64, 28, 96, (33, 47), (96, 160), (200, 120), 256])
def test_named_sizes(size):
    ladder = plan(size)
    assert ladder.size == ((size, size) if isinstance(size, int) else size)
    assert_climbs(ladder)
    assert all(layer.even and layer.overlap == [2] for layer in ladder.layers)


@settings(max_examples=300)
@given(st.lists(st.integers(8, 700), min_size=1, max_size=3))
def test_any_size_has_an_even_ladder(sizes):
    if max(sizes) > 24 * min(sizes):
        return
    ladder = plan(sizes, dims=len(sizes))
    assert ladder.size == tuple(sizes)
    assert_climbs(ladder)
    assert all(layer.overlap == [2] for layer in ladder.layers)
    assert min(ladder.seed) <= 8


def test_every_square_up_to_512_grows_from_a_seed_of_three_to_six():
    for size in range(12, 513):
        assert 3 <= plan(size).seed[0] <= 6, size


def test_the_seed_texts_ladder():
    ladder = plan(96, ladder=[96, 32, 16, 8, 3])
    assert_climbs(ladder)
    assert [layer.small[0] for layer in ladder.layers] == [3, 8, 16, 32]
    assert [(layer.kernel[0], layer.stride[0], layer.padding[0]) for layer in ladder.layers] == [
        (4, 2, 0),
        (4, 2, 1),
        (4, 2, 1),
        (3, 3, 0),
    ]


def test_a_ladder_of_your_own_may_be_uneven_and_says_so():
    (layer,) = plan(33, ladder=[33, 16]).layers
    assert not layer.even
    assert layer.overlap == [1, 2]


def test_the_classical_ladder_in_figures():
    ladder = plan(64)
    assert ladder.widths(64) == [512, 256, 128, 64]
    assert ladder.projective_fields() == [(4, 4), (10, 10), (22, 22), (46, 46)]
    assert ladder.receptive_fields() == [(4, 4), (10, 10), (22, 22), (46, 46)]
    generator, discriminator = ladder.flops(64, 3, 100)
    assert generator == 2 * (
        100 * 8192 + 16 * (16 * 512 * 256 + 64 * 256 * 128 + 256 * 128 * 64 + 1024 * 64 * 3)
    )
    assert discriminator == generator - 2 * 100 * 8192 + 2 * 8192


def test_widths_stop_at_eight_times():
    assert plan(256).widths(8) == [64, 64, 64, 32, 16, 8]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"size": 7}, "8"),
        ({"size": (64, 4)}, "8"),
        ({"size": 100_000}, "range"),
        ({"size": 64, "dims": 4}, "dimensions"),
        ({"size": (64, 64), "dims": 3}, "axes"),
        ({"size": 96, "ladder": [32, 16]}, "begins at"),
        ({"size": 96, "ladder": [96]}, "two sizes"),
        ({"size": 64, "ladder": [64, 28]}, "kernel"),
        ({"size": 96, "ladder": [96, 0]}, "at least 1"),
        ({"size": 6.5}, "size"),
        ({"size": "64"}, "size"),
        ({"size": 4, "ladder": [4, 2]}, "range"),
        ({"size": 999_999_999, "ladder": [999_999_999, 3]}, "range"),
        ({"size": 64, "ladder": [64, 64, 32]}, "must decrease"),
        ({"size": 64, "ladder": [64, 32, 48]}, "must decrease"),
    ],
)
def test_what_cannot_be_planned_is_explained(arguments, words):
    with pytest.raises(UsageError, match=words):
        plan(**arguments)


class TestRegularLadders:
    @pytest.mark.parametrize(
        ("size", "kernel", "stride", "base"),
        [((4096,), 24, 4, 4), ((64, 96), 6, 2, (4, 6)), ((4096,), None, 4, 4), ((48, 48), 3, 3, 16)],
    )
    def test_every_step_multiplies_by_the_stride_and_convolves_back(self, size, kernel, stride, base):
        planned = plan(size, dims=len(size), kernel=kernel, stride=stride)
        assert planned.seed == (base if isinstance(base, tuple) else (base,) * len(size))
        assert planned.size == size
        for layer in planned.layers:
            for small, large, k, s, p in zip(
                *(layer.small, layer.large, layer.kernel, layer.stride, layer.padding), strict=True
            ):
                assert large == stride * small == transposed_size(small, k, s, p)
                assert conv_size(large, k, s, p) == small and (k, s) == (kernel or 2 * stride, stride)

    def test_long_kernels_overlap_evenly(self):
        assert [layer.overlap for layer in plan((4096,), dims=1, kernel=24, stride=4).layers] == [[6]] * 5

    @pytest.mark.parametrize(
        ("size", "options", "word"),
        [
            (4096, {"kernel": 25, "stride": 4}, "padded alike"),
            (4096, {"kernel": 2, "stride": 4}, "padded alike"),
            (66, {"stride": 4}, "must be a multiple"),
            (64, {"stride": 2, "ladder": [64, 32]}, "decides its kernels"),
        ],
    )
    def test_what_does_not_fit(self, size, options, word):
        with pytest.raises(UsageError, match=word):
            plan((size,), dims=1, **options)
