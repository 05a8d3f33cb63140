"""The absolute scale: 0 for an untrained generator or one image for all, 1 for other real images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ganzfeld.data import open_images
from ganzfeld.metrics.quality_scale import LEAST, NAMES, QualityScale
from ganzfeld.training.monitors.scale import reals_of, share_of_way
from tests.conftest import draw_few_faces

NUM = 64


@pytest.fixture(scope="module")
def faces():
    with pytest.MonkeyPatch.context() as patch:
        draw_few_faces(patch, 1000)
        return open_images(None, size=(32, 32))


@pytest.fixture(scope="module")
def reals(faces):
    return reals_of(faces, NUM)


@pytest.fixture(scope="module")
def untrained():
    """Nearly grey images, as tanh of small numbers makes them."""
    noise = np.random.default_rng(0).normal(128, 6, (NUM, 32, 32, 3))
    return noise.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def scale(reals, untrained):
    return QualityScale(reals[0], reals[1], untrained)


def quality(scale, images) -> float:
    scores = scale.scores(images)
    assert list(scores) == list(NAMES) and all(0 <= score <= 1 for score in scores.values())
    return float(np.mean(list(scores.values())))


def test_the_ends(scale, reals, untrained):
    same = np.repeat(np.rint(reals[0].mean(0, keepdims=True)).astype(np.uint8), NUM, 0)
    assert quality(scale, untrained) == quality(scale, same) == 0
    assert quality(scale, reals[1]) == 1


def test_other_real_images_are_near_the_end(scale, faces, reals):
    used = {image.tobytes() for side in reals for image in side}
    fresh = [image for image in faces.batch(np.arange(1, 1000, 3)) if image.tobytes() not in used]
    assert len(fresh) > 2 * NUM
    assert quality(scale, np.stack(fresh[:NUM])) > 0.9


@pytest.mark.parametrize(
    "make",
    [
        lambda real, noise: np.repeat(real[:1], NUM, 0),
        lambda real, noise: noise.integers(0, 256, real.shape).astype(np.uint8),
        lambda real, noise: np.zeros_like(real),
        lambda real, noise: np.full_like(real, 255),
    ],
    ids=["one real image for all", "noise", "black", "white"],
)
def test_what_has_learned_nothing_of_the_data_is_low(scale, reals, make):
    images = make(reals[1], np.random.default_rng(1))
    scores = scale.scores(images)
    assert scores["quality_coverage"] < 0.05 and quality(scale, images) < 0.35


@pytest.mark.parametrize("step", [2, 4, 16])
def test_fewer_kinds_of_images_are_worse(scale, reals, step):
    some = np.repeat(reals[1][::step], step, 0)
    fewer = np.repeat(reals[1][:: 2 * step], 2 * step, 0)
    assert scale.scores(fewer)["quality_coverage"] < scale.scores(some)["quality_coverage"] < 1


def test_between_untrained_and_real_it_rises(scale, reals, untrained):
    """Images that are mixed of both, in growing shares."""
    mixed = [
        quality(scale, ((1 - share) * untrained + share * reals[1]).astype(np.uint8))
        for share in (0, 0.5, 0.8, 1)
    ]
    assert mixed == sorted(mixed) and mixed[0] == 0 and mixed[-1] > 0.9


def test_pixels_far_from_the_data_are_not_hidden_by_detail(scale, reals):
    darker = (reals[1] * 0.3).astype(np.uint8)
    assert scale.scores(darker)["quality_pixels"] < 0.5 < scale.scores(reals[1])["quality_pixels"]


def test_a_part_that_tells_nothing_is_left_out():
    """Real images that are all the same: nothing is further from them than one image for all."""
    same = np.full((NUM, 16, 16, 1), 7, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, same.shape, dtype=np.uint8)
    assert QualityScale(same, same, noise).scores(noise) == {}


@given(
    arrays(
        np.uint8, st.tuples(st.just(LEAST), st.integers(8, 20), st.integers(8, 20), st.sampled_from([1, 3]))
    )
)
@settings(max_examples=25)
def test_any_images_have_finite_scores(images):
    noise = np.random.default_rng(0)
    real, other, first = (noise.integers(0, 256, images.shape, dtype=np.uint8) for _ in range(3))
    scores = QualityScale(real, other, first // 16).scores(images)
    assert all(0 <= score <= 1 for score in scores.values())


def test_the_real_images_of_both_sides_differ(faces, array_file):
    for dataset in (faces, open_images(array_file)):
        real, other = reals_of(dataset, NUM)
        assert len(other) == NUM and len(real) > NUM


def test_of_few_images_each_side_gets_half(tmp_path):
    few = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    np.save(tmp_path / "few.npy", few)
    real, other = reals_of(open_images(tmp_path / "few.npy", size=(16, 16)), NUM)
    assert sorted(image.tobytes() for image in (*real, *other)) == sorted(image.tobytes() for image in few)
    assert len(real) == len(other) < LEAST


@pytest.mark.parametrize(("distance", "share"), [(2.0, 0.0), (1.0, 0.5), (0.0, 1.0), (-0.1, 1.0), (5.0, 0.0)])
def test_a_kernel_distance_is_a_share_of_the_way(distance, share):
    assert share_of_way(distance, 2.0) == share
