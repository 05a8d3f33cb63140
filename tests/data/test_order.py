import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganzfeld.data.order import batch_indices, permutation


@given(num=st.integers(1, 300), seed=st.integers(-(2**70), 2**70), epoch=st.integers(0, 2**40))
def test_an_epoch_holds_every_image_once(num: int, seed: int, epoch: int):
    order = permutation(num, seed, epoch)
    assert sorted(order.tolist()) == list(range(num))


@given(
    num=st.integers(1, 50), seen=st.integers(0, 500), first=st.integers(0, 130), second=st.integers(0, 130)
)
def test_the_stream_does_not_depend_on_how_it_is_cut(num: int, seen: int, first: int, second: int):
    whole = batch_indices(num, 7, seen, first + second)
    parts = [batch_indices(num, 7, seen, first), batch_indices(num, 7, seen + first, second)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


@given(
    num=st.integers(1, 60),
    seed=st.integers(0, 2**40),
    seen=st.integers(0, 500),
    batch=st.integers(0, 90),
    num_ranks=st.integers(1, 9),
)
def test_ranks_share_a_batch_without_gap_or_overlap(
    num: int, seed: int, seen: int, batch: int, num_ranks: int
):
    shares = [batch_indices(num, seed, seen, batch, rank, num_ranks) for rank in range(num_ranks)]
    whole = np.full(batch, -1)
    for rank, share in enumerate(shares):
        whole[rank::num_ranks] = share  # fails unless the share has that very length
    np.testing.assert_array_equal(whole, batch_indices(num, seed, seen, batch))
    permutation.cache_clear()  # another process, which asks for its share alone
    last = num_ranks - 1
    np.testing.assert_array_equal(batch_indices(num, seed, seen, batch, last, num_ranks), shares[last])


@given(num=st.integers(1, 40), batch=st.integers(1, 20), num_ranks=st.integers(1, 5))
def test_all_ranks_together_read_every_image_of_an_epoch_once(num: int, batch: int, num_ranks: int):
    stream = []
    for seen in range(0, num, batch):
        size = min(batch, num - seen)
        stream += [i for rank in range(num_ranks) for i in batch_indices(num, 1, seen, size, rank, num_ranks)]
    assert sorted(stream) == list(range(num))


def test_image_i_is_the_one_its_epoch_says():
    stream = batch_indices(10, 3, 0, 35)
    assert [stream[i] for i in (4, 17, 34)] == [permutation(10, 3, i // 10)[i % 10] for i in (4, 17, 34)]


def test_a_batch_larger_than_the_set_goes_round():
    assert np.bincount(batch_indices(3, 0, 3, 300)).tolist() == [100, 100, 100]


def test_the_order_never_changes():
    """A run resumes with another NumPy, on another machine: these numbers are for ever."""
    assert batch_indices(10, 0, 0, 10).tolist() == [2, 6, 5, 3, 0, 4, 7, 1, 8, 9]
    assert permutation(100_000, 123, 45)[:5].tolist() == [96454, 92705, 86192, 27308, 87534]


def test_seeds_and_epochs_are_unrelated():
    orders = {tuple(permutation(20, seed, epoch)) for seed in range(20) for epoch in range(20)}
    assert len(orders) == 400


def test_every_image_is_first_equally_often():
    firsts = np.bincount([permutation(8, 0, epoch)[0] for epoch in range(8_000)], minlength=8)
    chi_squared = ((firsts - 1_000) ** 2 / 1_000).sum()
    assert chi_squared < 24.3  # 0.1 % at 7 degrees of freedom; the sequence is fixed, so this cannot flicker


def test_it_is_int64_and_hands_out_no_cached_array():
    indices = batch_indices(5, 0, 0, 5)
    assert indices.dtype == np.int64
    indices[:] = 0
    assert sorted(batch_indices(5, 0, 0, 5)) == list(range(5))
    with pytest.raises(ValueError):
        permutation(5, 0, 0)[0] = 1


@pytest.mark.parametrize(
    "arguments",
    [(0, 0, 0, 1), (5, 0, -1, 1), (5, 0, 0, -1), (5, 0, 0, 4, 2, 2), (5, 0, 0, 4, -1, 2), (5, 0, 0, 4, 0, 0)],
)
def test_what_cannot_be_meant_is_refused(arguments: tuple[int, ...]):
    with pytest.raises(ValueError):
        batch_indices(*arguments)
