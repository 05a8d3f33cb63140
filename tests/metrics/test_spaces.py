"""Feature spaces: pinned weights, unchanged random state, and features of real images computed once."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ganzfeld.data import open_images
from ganzfeld.errors import DamagedError, GanzfeldError, ResourceError, UsageError
from ganzfeld.metrics import Comparison, Side, measure, real_features, space
from ganzfeld.metrics.extraction import some_of
from ganzfeld.metrics.spaces import efficientnet_lite0, inception, random_convolutions, usual_name
from tests.conftest import blobs
from tests.metrics.inception_reference import GOLDEN, dataset

pytestmark = pytest.mark.machine


def test_folding_the_norms_changes_rounding_only(monkeypatch):
    dataset = blobs(12, 32)
    folded = efficientnet_lite0.features(dataset)
    efficientnet_lite0._network.cache_clear()
    monkeypatch.setattr(efficientnet_lite0, "_fold", lambda *_: None)
    plain = efficientnet_lite0.features(dataset)
    efficientnet_lite0._network.cache_clear()
    assert torch.allclose(folded, plain, atol=1e-4)
    assert not torch.equal(folded, plain), "nothing was folded"


def test_building_the_network_draws_nothing():
    efficientnet_lite0._network.cache_clear()
    before = torch.get_rng_state()
    efficientnet_lite0.features(blobs(1, 16))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("entry", [efficientnet_lite0, random_convolutions])
def test_other_weights_are_refused(entry):
    build = entry._network if entry is efficientnet_lite0 else entry._weights
    with pytest.raises(DamagedError, match="expected"):
        build("0" * 64)


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
    monkeypatch.setenv("GANZFELD_FEATURES", "inceptoin")
    with pytest.raises(UsageError, match="inceptoin") as caught:
        usual_name()
    assert "inception" in caught.value.hint and ".safetensors" in caught.value.hint


class TestInception:
    def test_gives_what_torch_fidelity_gives(self, inception_file):
        made = space(inception_file)
        with np.load(GOLDEN) as golden:
            for number, batch in enumerate(dataset()):
                theirs = torch.from_numpy(golden[f"features_{number}"])
                apart = (theirs[0] - theirs[1]).abs().max()
                ours = made.features(batch)
                assert (ours - theirs).abs().max() < 1e-4 < apart / 1000, batch.shape

    def test_without_its_file_it_says_which_one_to_give(self):
        with pytest.raises(ResourceError) as caught:
            space("inception")
        assert "weights-inception-2015-12-05-6726825d.pth" in caught.value.hint

    def test_fid_is_of_the_standard_weights_alone(self, inception_file):
        def taken(made, only=None):
            ours, real = (torch.randn(60, 2048, generator=torch.manual_seed(seed)) for seed in (0, 1))
            nothing = np.zeros((60, 8, 8, 3), np.uint8)
            sides = Side(nothing, ours), Side(nothing, real)
            found = measure(
                Comparison(*sides, sides[1], made), only or ["frechet-distance", "kernel-distance"]
            )
            return {each.figure.name: each for each in found}

        assert space(inception_file).name == f"inception with {inception_file.name}"
        with pytest.raises(UsageError, match="fid is defined in one feature space only"):
            taken(space(inception_file), ["fid"])
        standard = replace(space(inception_file), name="inception", sha256=inception.SHA256)
        both = taken(standard, ["fid", "frechet-distance"])
        assert both["fid"].figure.value == both["frechet_distance"].figure.value > 0
        assert both["fid"].features_sha256 == inception.SHA256 and both["fid"].resize_px == 299

    def test_the_pinned_weights_are_those_of_the_file_name(self):
        assert inception.SHA256[:8] in inception.SOURCE


class TestFileOfWeights:
    def test_pinned_weights_from_a_file_are_the_same_space(self):
        _, path = efficientnet_lite0._packages()
        given, usual = space(path), space()
        assert (given.name, given.sha256) == (usual.name, usual.sha256)
        assert torch.equal(given.features(blobs(3, 16)), usual.features(blobs(3, 16)))

    def test_other_weights_are_a_space_of_their_own(self, tmp_path):
        _, path = efficientnet_lite0._packages()
        weights = torch.load(path, weights_only=True)
        weights["_fc.weight"], weights["_fc.bias"] = torch.zeros(7, 1280), torch.zeros(7)
        weights["_bn1.bias"] = weights["_bn1.bias"] + 1
        mine = tmp_path / "mine.pth"
        torch.save(weights, mine)
        made = space(mine)
        assert made.name == "efficientnet-lite0 with mine.pth" and made.sha256 != space().sha256
        assert not torch.allclose(made.features(blobs(1, 16)), space().features(blobs(1, 16)), atol=0.1)

    def test_one_that_has_gone_since_is_still_known(self, inception_file, tmp_path):
        """Keep the space when its file is deleted during a run."""
        mine = tmp_path / "w\udcff\x1b.safetensors"
        mine.write_bytes(inception_file.read_bytes())
        first = space(mine)
        mine.unlink()
        assert space(mine) == first
        assert first.name.isprintable() and first.name.encode()

    def test_a_file_that_changed_is_read_again(self, inception_file, tmp_path):
        mine = tmp_path / "mine.pth"
        weights = load_file(inception_file)
        torch.save(weights, mine)
        first = space(mine).sha256
        torch.save({name: each * 1.001 for name, each in weights.items()}, mine)
        os.utime(mine, ns=(0, 0))
        assert space(mine).sha256 != first

    def test_what_is_no_network_of_ours(self, inception_file, tmp_path):
        def refused(content, name="mine.pth", kind: type[GanzfeldError] = UsageError):
            mine = tmp_path / name
            mine.write_bytes(content) if isinstance(content, bytes) else torch.save(content, mine)
            with pytest.raises(kind) as caught:
                space(mine)
            assert str(mine) in caught.value.message and caught.value.hint
            return caught.value

        weights = load_file(inception_file)
        cut = {name: each for name, each in weights.items() if not name.startswith("Mixed_6b.branch1x1")}
        assert "Mixed_6b.branch1x1" in refused(cut).message
        narrow = weights | {"Mixed_6b.branch1x1.conv.weight": torch.zeros(192, 3, 1, 1)}
        assert "do not fit" in refused(narrow).message
        infinite = weights | {"Conv2d_1a_3x3.bn.bias": torch.full((32,), torch.nan)}
        assert "no valid features" in refused(infinite).message
        assert "efficientnet-lite0, inception" in refused({"weight": torch.zeros(3)}).hint
        refused([1, 2])
        refused({"epoch": 3, "state_dict": weights["Conv2d_1a_3x3.bn.bias"]})
        refused(tmp_path, kind=DamagedError)  # an object that is not of tensors
        refused(b"", kind=DamagedError)
        refused(b"not weights", name="mine.safetensors", kind=DamagedError)
        whole = inception_file.read_bytes()
        refused(whole[:1000], name="mine.safetensors", kind=DamagedError)
        with pytest.raises(UsageError, match="does not exist"):
            space(tmp_path / "none.pth")
        (tmp_path / "folder.pth").mkdir()
        os.mkfifo(tmp_path / "pipe.pth")
        for name in ("folder.pth", "pipe.pth", "~nobody-of-this-name/x.pth", "a" * 300 + ".pth"):
            with pytest.raises((UsageError, ResourceError)):
                space(tmp_path / name)


class TestRealFeatures:
    @pytest.fixture
    def small(self, monkeypatch):
        """Return the small space and a count of the images that it has seen."""
        looked = []
        small = space("random-convolutions")

        def features(dataset):
            looked.append(len(dataset))
            return small.features(dataset)

        return type(small)(small.name, small.sha256, small.size_px, small.num_features, features), looked

    def test_are_found_once(self, array_file, small, tmp_path):
        counted, looked = small
        dataset = open_images(array_file, (16, 16), cache_dir=tmp_path)
        indices = some_of(200, 60)
        first = real_features(dataset, indices, counted)
        again = real_features(dataset, indices, counted)
        assert torch.equal(first, again) and sum(looked) == 60
        assert torch.equal(first, counted.features(dataset.batch(indices)))
        real_features(dataset, some_of(200, 60, seed=1), counted)
        assert sum(looked) == 60 + 60 + 60, "other images are looked at"

    def test_a_damaged_file_is_made_again(self, array_file, small, tmp_path):
        counted, _ = small
        dataset = open_images(array_file, (16, 16), cache_dir=tmp_path)
        expected = real_features(dataset, some_of(200, 60), counted)
        (kept,) = dataset.folder.glob("features-*.npy")
        whole = kept.read_bytes()
        for broken in (b"", whole[:-4], b"x" + whole[1:], whole[:-4] + b"\xff" * 4):
            kept.write_bytes(broken)
            assert torch.equal(real_features(dataset, some_of(200, 60), counted), expected)
            assert kept.read_bytes() == whole
        assert not list(dataset.folder.glob(".*.part"))

    def test_of_another_space_are_not_taken(self, array_file, small, tmp_path):
        counted, looked = small
        dataset = open_images(array_file, (16, 16), cache_dir=tmp_path)
        real_features(dataset, some_of(200, 60), counted)
        other = type(counted)(counted.name, "0" * 64, counted.size_px, counted.num_features, counted.features)
        real_features(dataset, some_of(200, 60), other)
        assert sum(looked) == 120

    def test_a_choice_is_ascending_and_a_function_of_its_seed(self):
        chosen = some_of(500, 100, seed=3)
        assert np.array_equal(chosen, some_of(500, 100, seed=3)) and (np.diff(chosen) > 0).all()
        assert not np.array_equal(chosen, some_of(500, 100, seed=4))
        assert np.array_equal(some_of(5, 100), np.arange(5))
