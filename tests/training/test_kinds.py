"""Other kinds of data than images: trained, and sampled in the units of their data."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from ganzfeld import evaluate, train
from ganzfeld.cli import main
from ganzfeld.data import open_images
from ganzfeld.data.kinds import kind_of_data, kinds
from ganzfeld.errors import UsageError
from ganzfeld.networks.outputs import GumbelNoise, covers, outputs
from ganzfeld.options import PreparationOptions, TrainOptions
from ganzfeld.recipes import read_recipe, recipes_of, resolve
from ganzfeld.runs import Run, open_run
from ganzfeld.runs.report.quality_words import can_still_be_scored, quality_in_words
from ganzfeld.training.setup import resolve_options, with_recipe

SMALL = {"generator.width": 4, "discriminator.width": 4, "latent.size": 8, "batch": 8}


def trained(data: Path, folder: Path, size: int, settings: dict[str, Any], **options: Any) -> Run:
    return train(
        data,
        size=size,
        images=16,
        out=folder,
        settings=SMALL | settings,
        route="plain",
        progress=False,
        device="cpu",
        **options,
    )


def code_of(*words: Any) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return int(left.value.code or 0)


def sampled(run: Run, num: int, out: Path) -> int:
    return code_of("sample", run.path, "--n", num, "--out", out)


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("maps") / "field.npy"
    noise = np.random.default_rng(0).normal(0, 1, (60, 5, 16, 16))
    np.save(path, (np.exp(noise) * 1e4).astype(np.float32))
    return path


@pytest.fixture(scope="module")
def genes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    letters = np.random.default_rng(0).choice(list("ACGT"), (60, 32))
    path = tmp_path_factory.mktemp("genes") / "genes.fa"
    path.write_text("".join(f">s{number}\n{''.join(row)}\n" for number, row in enumerate(letters)))
    return path


def test_maps_come_back_in_their_units(maps: Path, tmp_path: Path):
    run = trained(maps, tmp_path, 16, {}, axes="NCHW", kind="map", scale="log")
    assert quality_in_words(run, 16).endswith("ganzfeld eval measures maps, beside their baselines")
    assert not can_still_be_scored(run, 16), "so that resuming a finished run leaves it as it is"
    made, card = run.sample(3), run.model.card
    stored = np.moveaxis(np.load(maps), 1, -1)
    assert made.shape == (3, 16, 16, 5) and made.dtype == np.float32
    assert stored.min() * 0.99 < made.min() and made.max() < stored.max() * 1.01
    assert card.kind == "map" and card.scale["name"] == "log" and card.generator.channels == 5
    for name in ("made.npy", "made.tif"):
        out = tmp_path / name
        for _ in range(2):  # what sample wrote, it replaces
            assert sampled(run, 3, out) == 0
        read = np.load(out) if name == "made.npy" else np.moveaxis(tifffile.imread(out), 1, -1)
        assert read.dtype == np.float32 and np.array_equal(read, made)
    assert sampled(run, 3, tmp_path / "grid.png") == 0
    for wrong in ("made.fa", "folder"):
        assert sampled(run, 3, tmp_path / wrong) == 2
    for words in (
        ["eval", run.path, "--only", "recall"],
        ["latent", "walk", run.path],
        ["features", run.path, run.path],
    ):
        assert code_of(*words) == 2, "what works on images alone refuses other kinds"
    measured = evaluate(run, num=50, only=["channel-correlations", "peaks"], progress=False)
    assert measured["correlation_difference"].baselines[0].name == "gaussian-field"
    assert measured["peak_difference"].num_reals == 50 and measured["peak_difference"].features == "values"
    again = open_run(run.path)
    assert np.array_equal(again.sample(3), made)
    assert again.metadata.preparation.axes == "NCHW" and again.recipe.kind == "map"
    assert (run.path / "reals.png").exists() and (run.path / "report.html").exists()


def test_sequences_come_back_as_letters(genes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = trained(genes, tmp_path, 32, {})
    made = run.sample(4)
    assert made.shape == (4, 32, 1) and made.dtype == np.uint8 and set(np.unique(made)) == {0, 1, 2, 3}
    assert run.recipe.size == (32,) and run.model.card.scale["letters"] == "ACGT"
    assert np.array_equal(run.sample(seeds=[2])[0], made[2])
    out = tmp_path / "made.fa"
    for _ in range(2):
        assert sampled(run, 4, out) == 0
    written = open_images(out, 32, progress=False, workers=0, cache_dir=tmp_path / "cache")
    assert np.array_equal(written.batch(np.arange(4)), made), "what was written is read as it was made"
    assert out.read_text().startswith(">seed_000000 ganzfeld samples\n")
    assert sampled(run, 4, tmp_path / "made.tif") == 2
    _eval_beside_chains(run, out, capsys)


def _eval_beside_chains(run: Run, few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert code_of("eval", run.path, "--n", 50, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    by_name = {metric["name"]: metric for metric in told["metrics"]}
    assert set(by_name) == {
        *(f"kmer_{length}_divergence" for length in range(1, 7)),
        *("gc_distance", "position_divergence", "copied_sequences"),
    }
    beside = by_name["kmer_1_divergence"]["baselines"]
    assert [baseline["name"] for baseline in beside] == ["by-position", "markov-2", "markov-5", "period-3"]
    assert by_name["kmer_1_divergence"]["num_samples"] == 50 and told["out"] is None
    won = any("baseline markov-2" in note for note in told["notes"])
    wins = [metric["baselines"][1]["wins"] for metric in told["metrics"]]
    assert won == any(wins), "a baseline that wins is named"
    assert code_of("eval", run.path, "--n", 50, "--only", "gc-content") == 0
    shown = capsys.readouterr().out
    assert "letters, as in the data" in shown and "50 real sequences" in shown
    assert "  markov-5 " in shown
    assert code_of("eval", run.path, few) == 3, "too few others"
    assert code_of("eval", run.path, "--features", "random-convolutions") == 2


@pytest.mark.parametrize(
    ("options", "settings", "word", "remedy"),
    [
        (
            {"recipe": "modern"},
            {},
            "the recipe modern is for the kind image, and these data are of the kind map",
            "maps",
        ),
        ({"scale": "standard"}, {}, "the output tanh of the generator does not reach", "output=linear"),
        ({"auto": True, "stop": "decay"}, {}, "stop and auto cannot be used for maps", "ganzfeld eval"),
        ({"kind": "sequence"}, {}, "cannot be read as kind sequence", "image and map"),
    ],
)
def test_what_does_not_fit_is_named(
    maps: Path, tmp_path: Path, options: dict[str, Any], settings: dict[str, Any], word: str, remedy: str
):
    with pytest.raises(UsageError, match=word) as refused:
        trained(maps, tmp_path, 16, settings, **{"axes": "NCHW", "kind": "map"} | options)
    assert remedy in refused.value.hint


class TestRecipe:
    @pytest.mark.parametrize("kind", kinds.names())
    def test_every_kind_has_one_that_is_taken_where_none_is_named(self, kind: str):
        name = kind_of_data(kind).RECIPE
        assert name in recipes_of(kind) and read_recipe(name).kind == kind

    def test_is_that_of_the_kind_of_the_data(self, maps: Path, genes: Path, tmp_path: Path):
        nothing, options = TrainOptions(), PreparationOptions()
        assert with_recipe(nothing, genes, options).recipe == "dna"
        assert with_recipe(nothing, maps, replace(options, kind="map", axes="NCHW")).recipe == "maps"
        assert with_recipe(nothing, None, options).recipe == "modern"
        assert with_recipe(nothing, tmp_path / "missing", options) == nothing, "reported later"
        named = TrainOptions(recipe="seed")
        assert with_recipe(named, genes, options) == named
        assert resolve_options(nothing).is_fitted, "nothing is known of the data, and modern is the default"

    def test_sides_are_those_of_the_kind(self):
        recipe = resolve("dna", {"size": 128})
        assert recipe.size == (128,) and recipe.plan().size == (128,)
        assert resolve("maps", {"size": "96x64"}).plan().size == (64, 96)
        with pytest.raises(UsageError, match="2 sides"):
            resolve("dna", {"size": "96x64"})

    def test_kernel_and_stride_of_the_ladder(self):
        recipe = resolve("dna", {"size": 4096, "kernel": 24, "stride": 4})
        layers = recipe.plan().layers
        assert len(layers) == 5 and {(layer.kernel, layer.stride) for layer in layers} == {((24,), (4,))}

    @pytest.mark.parametrize("name", ["mirror", "crop"])
    def test_only_augmentations_that_give_valid_data(self, name: str):
        with pytest.raises(UsageError, match=f"{name} does not make another valid sequence"):
            resolve("dna", {name: {"mirror": True, "crop": 0.125}[name]})


class TestOutputs:
    def test_intervals(self):
        assert [name for name in outputs.names() if covers(name, (0.0, 1.0), True)] == [
            "hard-gumbel",
            "softmax",
        ]
        assert covers("tanh", (-1.0, 1.0), False) and not covers("softplus", (-1.0, 1.0), False)
        assert covers("linear", (-np.inf, np.inf), False) and not covers("tanh", (-np.inf, np.inf), False)

    def test_noise_is_that_of_its_latent_vector_and_follows_gumbel(self):
        latents = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
        noise = GumbelNoise()(torch.zeros(64, 4, 500), latents)
        assert torch.equal(noise[[7]], GumbelNoise()(torch.zeros(1, 4, 500), latents[[7]]))
        assert abs(float(noise.mean()) - 0.5772) < 0.02 and abs(float(noise.var()) - np.pi**2 / 6) < 0.03
        flat = noise.flatten(1)
        others = torch.corrcoef(flat) - torch.eye(64)
        assert float(others.abs().max()) < 0.12, "other latent vectors, other noise"
        neighbours = float(
            torch.corrcoef(torch.stack([noise[..., 1:].flatten(), noise[..., :-1].flatten()]))[0, 1]
        )
        assert abs(neighbours) < 0.02

    def test_letters_are_drawn_with_the_probabilities_of_the_softmax(self):
        wanted = torch.tensor([0.1, 0.2, 0.3, 0.4])
        latents = torch.randn(50, 8, generator=torch.Generator().manual_seed(1))
        noisy = GumbelNoise()(wanted.log()[None, :, None].expand(50, 4, 400), latents)
        hard = outputs.load("hard-gumbel").output()(noisy)
        assert torch.allclose(hard.mean((0, 2)), wanted, atol=0.01)
        assert torch.equal(hard.unique().round().abs(), torch.tensor([0.0, 1.0]))

    def test_hard_letters_have_the_gradient_of_the_softmax(self):
        values = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(2), requires_grad=True)
        weight = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(3))
        gradients = [
            torch.autograd.grad((outputs.load(name).output()(values) * weight).sum(), values)[0]
            for name in ("softmax", "hard-gumbel")
        ]
        assert torch.allclose(gradients[0], gradients[1])
