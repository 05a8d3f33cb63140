"""Feature spaces: pinned weights, no trace in any random state, and features of reals that are found once."""

import numpy as np
import pytest
import torch

from ganzfeld.data import open_pictures
from ganzfeld.errors import DamagedError, ResourceError, UsageError
from ganzfeld.metrics import real_features, space
from ganzfeld.metrics.extraction import some_of
from ganzfeld.metrics.spaces import efficientnet_lite0, random_convolutions, usual_name
from tests.conftest import blobs


def test_folding_the_norms_changes_rounding_only(monkeypatch):
    pictures = blobs(12, 32)
    folded = efficientnet_lite0.features(pictures)
    efficientnet_lite0._network.cache_clear()
    monkeypatch.setattr(efficientnet_lite0, "_fold", lambda *_: None)
    plain = efficientnet_lite0.features(pictures)
    efficientnet_lite0._network.cache_clear()
    assert torch.allclose(folded, plain, atol=1e-4)
    assert not torch.equal(folded, plain), "nothing was folded"


def test_building_the_network_draws_nothing():
    efficientnet_lite0._network.cache_clear()
    before = torch.get_rng_state()
    efficientnet_lite0.features(blobs(1, 16))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("entry", [efficientnet_lite0, random_convolutions])
def test_other_weights_are_refused(entry, monkeypatch):
    build = entry._network if entry is efficientnet_lite0 else entry._weights
    build.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(entry, "SHA256", "0" * 64)
        with pytest.raises(DamagedError, match="pinned"):
            entry.features(blobs(1, 16))
    build.cache_clear()


def test_without_the_extra_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(ResourceError) as caught:
        space()
    assert "pip install 'ganzfeld[metrics]'" in caught.value.hint


def test_the_space_in_which_trainings_are_judged(monkeypatch):
    for given, expected in (
        ("none", None),
        ("", "efficientnet-lite0"),
        ("Random_Convolutions", "random-convolutions"),
    ):
        monkeypatch.setenv("GANZFELD_FEATURES", given)
        assert usual_name() == expected
    monkeypatch.setenv("GANZFELD_FEATURES", "inception")
    with pytest.raises(UsageError, match="inception"):
        usual_name()


class TestRealFeatures:
    @pytest.fixture
    def small(self, monkeypatch):
        """The small space, and how many pictures it has looked at."""
        looked = []
        small = space("random-convolutions")

        def features(pictures):
            looked.append(len(pictures))
            return small.features(pictures)

        return type(small)(small.name, small.sha256, small.size_px, small.num_features, features), looked

    def test_are_found_once(self, array_file, small, tmp_path):
        counted, looked = small
        pictures = open_pictures(array_file, (16, 16), cache_dir=tmp_path)
        indices = some_of(200, 60)
        first = real_features(pictures, indices, counted)
        again = real_features(pictures, indices, counted)
        assert torch.equal(first, again) and sum(looked) == 60
        assert torch.equal(first, counted.features(pictures.batch(indices)))
        real_features(pictures, some_of(200, 60, seed=1), counted)
        assert sum(looked) == 60 + 60 + 60, "other pictures are looked at"

    def test_a_damaged_file_is_made_again(self, array_file, small, tmp_path):
        counted, _ = small
        pictures = open_pictures(array_file, (16, 16), cache_dir=tmp_path)
        expected = real_features(pictures, some_of(200, 60), counted)
        (kept,) = pictures.folder.glob("features-*.npy")
        whole = kept.read_bytes()
        for broken in (b"", whole[:-4], b"x" + whole[1:], whole[:-4] + b"\xff" * 4):
            kept.write_bytes(broken)
            assert torch.equal(real_features(pictures, some_of(200, 60), counted), expected)
            assert kept.read_bytes() == whole
        assert not list(pictures.folder.glob(".*.part"))

    def test_of_another_space_are_not_taken(self, array_file, small, tmp_path):
        counted, looked = small
        pictures = open_pictures(array_file, (16, 16), cache_dir=tmp_path)
        real_features(pictures, some_of(200, 60), counted)
        other = type(counted)(counted.name, "0" * 64, counted.size_px, counted.num_features, counted.features)
        real_features(pictures, some_of(200, 60), other)
        assert sum(looked) == 120

    def test_a_choice_is_ascending_and_a_function_of_its_seed(self):
        chosen = some_of(500, 100, seed=3)
        assert np.array_equal(chosen, some_of(500, 100, seed=3)) and (np.diff(chosen) > 0).all()
        assert not np.array_equal(chosen, some_of(500, 100, seed=4))
        assert np.array_equal(some_of(5, 100), np.arange(5))
