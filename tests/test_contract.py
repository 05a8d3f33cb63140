"""Every entry of every folder keeps the contract of its folder: new files are covered unasked."""

import dataclasses
import functools
import inspect
import json
import math
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from ganzfeld.catalogue import Catalogue
from ganzfeld.cli.commands import commands
from ganzfeld.data.kinds import IMAGE, kinds
from ganzfeld.data.scales import scales
from ganzfeld.data.sources import catalogue as sources
from ganzfeld.errors import UsageError
from ganzfeld.geometry import plan
from ganzfeld.health import Finding, RunEvidence
from ganzfeld.health.derived import DERIVED, series_of
from ganzfeld.health.detectors import detectors
from ganzfeld.health.expectation import Expectation
from ganzfeld.health.limits import Limit
from ganzfeld.health.probe import ProbeContext
from ganzfeld.health.readings import readings
from ganzfeld.lab import experiments
from ganzfeld.latent import priors
from ganzfeld.losses import Loss, Targets, losses
from ganzfeld.metrics import Comparison, Side, Space, space
from ganzfeld.metrics.baselines import baselines
from ganzfeld.metrics.maps import map_measures
from ganzfeld.metrics.measures import measures
from ganzfeld.metrics.sequences import sequence_measures
from ganzfeld.metrics.spaces import spaces
from ganzfeld.networks import Discriminator, Generator, initialise
from ganzfeld.networks.activations import activations
from ganzfeld.networks.conditions import conditions
from ganzfeld.networks.initialisations import initialisations
from ganzfeld.networks.normalisations import normalisations
from ganzfeld.networks.outputs import outputs, sums_to_one
from ganzfeld.recipes import Recipe, read_recipe, recipes, recipes_of, resolve
from ganzfeld.stabilisers import Stabiliser, stabiliser, stabilisers
from tests.conftest import blobs
from tests.health.conftest import patient_of
from tests.training.conftest import small
from tests.watching.probing import watched_probe

CATALOGUES = [
    *(sources, normalisations, activations, outputs, conditions, losses, stabilisers, priors, recipes),
    *(commands, spaces, measures, readings, detectors, experiments, scales, kinds, initialisations),
    *(sequence_measures, map_measures, baselines),
]


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda catalogue: catalogue.kind)
class TestCatalogue:
    def test_finds_every_file(self, catalogue: Catalogue):
        listed = [file for file in files(catalogue.package).iterdir() if not file.name.startswith("_")]
        entries = [file for file in listed if file.is_file() and file.name.endswith(catalogue.suffix)]
        folders = [file for file in listed if (file / "__init__.py").is_file()]
        assert len(catalogue.names()) == len(entries) + len(folders) > 0
        assert not folders or catalogue is experiments, "entries of several files"
        assert all(catalogue.file(name).is_file() for name in catalogue.names())

    def test_names_survive_other_spellings(self, catalogue: Catalogue):
        for name in catalogue.names():
            assert catalogue.canonical(name.upper().replace("-", "_")) == name

    def test_unknown_names_are_answered_with_known_ones(self, catalogue: Catalogue):
        name = catalogue.names()[0]
        with pytest.raises(UsageError) as caught:
            catalogue.canonical(name + "x")
        assert name in caught.value.hint
        with pytest.raises(UsageError, match=catalogue.kind):
            catalogue.canonical("../../etc/passwd")

    def test_says_what_it_is(self, catalogue: Catalogue):
        if catalogue.suffix == ".py":
            for name in catalogue.names():
                assert (catalogue.load(name).__doc__ or "").strip(), name


@pytest.mark.parametrize("name", normalisations.names())
class TestNormalisation:
    @pytest.mark.parametrize("dims", [1, 2, 3])
    def test_keeps_the_shape_and_does_what_it_declares(self, name: str, dims: int):
        entry = normalisations.load(name)
        size = plan(8, dims=dims)
        discriminator = Discriminator(size, channels=2, width=4, normalisation=name)
        generator = Generator(size, channels=2, width=4, latent_size=5, normalisation=name)
        images = generator(torch.randn(6, 5))
        assert images.shape == (6, 2, *[8] * dims)
        assert discriminator(images).shape == (6,)
        affine = any(isinstance(module, nn.Conv2d) and module.bias is None for module in discriminator.layers)
        assert not affine, "the first layer is not normalised and keeps its bias"
        assert isinstance(entry.CENTRES, bool)

    def test_mixes_images_only_if_declared(self, name: str):
        entry = normalisations.load(name)
        network = nn.Sequential(*entry.normalise(nn.Conv2d(3, 4, 3), 4, 2)).double()
        network(torch.randn(8, 3, 6, 6).double())  # lets a constraint on weights settle
        network.train(not entry.ON_WEIGHTS)
        images = torch.randn(4, 3, 6, 6).double().requires_grad_()
        (others,) = torch.autograd.grad(network(images)[0].square().sum(), images)
        assert (others[1:].abs().max() > 1e-12) == entry.ACROSS_IMAGES


@pytest.mark.parametrize("name", activations.names())
def test_activation(name: str):
    module = activations.load(name).activation(0.3)
    values = torch.linspace(-3, 3, 7)
    assert module(values).shape == values.shape
    assert module(torch.tensor(2.0)) > module(torch.tensor(1.0)) > 0


@pytest.mark.parametrize("name", outputs.names())
def test_output(name: str):
    module, (low, high) = outputs.load(name).output(), outputs.load(name).INTERVAL
    values = torch.linspace(-20, 20, 101)
    if sums_to_one(name):
        shares = module(torch.stack([values, -values])[None])
        assert torch.all(shares[0, 0].diff() >= 0), "monotone"
        assert torch.allclose(shares.sum(1), torch.ones(1, 101)) and (low, high) == (0, 1)
    else:
        assert torch.all(module(values).diff() >= 0), "monotone"
        assert low <= float(module(values).min()) and float(module(values).max()) <= high
        if low == -high:
            assert abs(float(module(torch.tensor(0.0)))) < 1e-7, "mid-grey is 0"


@pytest.mark.parametrize("name", conditions.names())
class TestCondition:
    @pytest.mark.parametrize("dims", [1, 2, 3])
    def test_enters_and_can_be_differentiated_twice(self, name: str, dims: int):
        """With it, logits depend on the class of their own image and no other's; penalties reach it."""
        num_classes = 0 if name == "none" else 4
        choices = {"activation": "silu", "classes": name, "num_classes": num_classes}
        discriminator = Discriminator(plan(8, dims=dims), width=4, **choices)
        assert (discriminator.condition is None) == (name == "none") == (not num_classes)
        initialise(discriminator, 0)
        images = torch.randn(5, 3, *[8] * dims, requires_grad=True)
        if not num_classes:
            assert discriminator(images).shape == (5,)
            return
        labels = torch.tensor([0, 1, 2, 3, 0])
        logits, others = (discriminator(images, each) for each in (labels, torch.tensor([0, 1, 2, 3, 1])))
        assert torch.equal(logits[:4], others[:4]) and logits[4] != others[4]
        (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
        gradient.square().sum().backward()
        assert discriminator.condition is not None
        gradient = discriminator.condition.vectors.weight.grad
        assert gradient is not None and gradient.abs().sum() > 0


@pytest.mark.parametrize("name", losses.names())
class TestLoss:
    def test_defines_its_contract(self, name: str):
        entry = losses.load(name)
        assert isinstance(entry.PAIRED, bool)
        assert all(
            isinstance(getattr(entry, why), str) for why in ("NO_SMOOTHING", "NO_SIDES", "NO_TEMPERATURE")
        )

    def test_pulls_each_side_its_own_way(self, name: str):
        """Wherever the discriminator is wrong, and the generator wherever it is not believed."""
        low, high = (side * torch.linspace(1.5, 4, 5, dtype=torch.float64) for side in (-1, 1))
        real, fake = low.clone().requires_grad_(), high.clone().requires_grad_()
        loss = losses.load(name).discriminator(real, fake, Targets(1.0, 0.0))
        assert loss.shape == ()
        to_real, to_fake = torch.autograd.grad(loss, (real, fake))
        assert torch.all(to_real < 0) and torch.all(to_fake > 0)
        fake = low.clone().requires_grad_()
        (to_generator,) = torch.autograd.grad(losses.load(name).generator(high, fake), fake)
        assert torch.all(to_generator < 0)

    def test_stays_finite_at_extreme_logits(self, name: str):
        logits = torch.tensor([-1e4, -100.0, 0.0, 100.0, 1e4])
        loss = Loss(name)
        assert torch.isfinite(loss.discriminator(logits, -logits))
        assert torch.isfinite(loss.generator(logits, -logits))

    def test_refuses_with_a_reason(self, name: str):
        entry = losses.load(name)
        for why, options in (
            (entry.NO_SMOOTHING, (0.1, 1, 1.0)),
            (entry.NO_SIDES, (0.1, 2, 1.0)),
            (entry.NO_TEMPERATURE, (0.0, 1, 2.0)),
        ):
            if why:
                with pytest.raises(UsageError, match="takes"):
                    Loss(name, *options)
            else:
                Loss(name, *options)


@pytest.mark.parametrize("name", stabilisers.names())
class TestStabiliser:
    def test_is_final_documented_and_frozen(self, name: str):
        built = stabiliser({"name": name})
        assert isinstance(built, Stabiliser)
        assert getattr(type(built), "__final__", False)
        assert type(built).__doc__
        assert type(built).model_config.get("frozen")
        assert stabiliser({"name": name, **built.model_dump()}) == built

    @pytest.mark.parametrize("dims", [1, 2, 3])
    def test_leaves_shapes_alone_and_draws_from_its_noise_only(self, name: str, dims: int):
        images = torch.randn(4, 3, *[8] * dims)
        noise = [torch.Generator().manual_seed(5) for _ in range(2)]
        before = torch.get_rng_state()
        seen = [stabiliser({"name": name}).transform(images, 0.25, generator) for generator in noise]
        assert seen[0].shape == images.shape
        assert torch.equal(seen[0], seen[1])
        assert torch.equal(torch.get_rng_state(), before)

    def test_declares_whether_it_repeats_itself(self, name: str):
        built, judge = stabiliser({"name": name}), Discriminator(plan(8), width=4)
        images = torch.randn(4, 3, 8, 8)
        seen = []
        for seed, progress, step in ((1, 0.0, 0), (2, 0.75, 1000)):
            noise = torch.Generator().manual_seed(seed)
            penalty = built.penalty(judge, images, images + 1, step, noise)
            assert (penalty is not None) == built.due(step)
            seen.append((built.transform(images, progress, noise), penalty))
        (first, one), (second, other) = seen
        assert (torch.equal(first, second) and one == other) == built.REPEATS

    def test_penalty_teaches_the_discriminator(self, name: str):
        discriminator = Discriminator(plan(8), width=4)
        real, fake = torch.randn(2, 4, 3, 8, 8)
        noise = torch.Generator().manual_seed(0)
        penalty = stabiliser({"name": name}).penalty(discriminator, real, fake, 0, noise)
        if penalty is not None:
            assert penalty.shape == ()
            penalty.backward()
            assert all(weight.grad is not None for weight in discriminator.parameters() if weight.dim() > 1)


@pytest.mark.parametrize("name", priors.names())
class TestPrior:
    def test_has_the_moments_it_declares(self, name: str):
        entry = priors.load(name)
        latents = entry.sample(20_000, 16, torch.Generator().manual_seed(1))
        assert latents.shape == (20_000, 16)
        assert latents.dtype == torch.float32
        # Standard errors at 320,000 draws are below 0.002; six of them.
        assert abs(float(latents.mean())) < 0.012
        assert abs(float(latents.var()) - entry.variance(16)) < 0.018

    def test_its_paths_stay_where_it_draws(self, name: str):
        """The middle of a path has the norm of a draw, except where the straight line is the path."""
        entry = priors.load(name)
        start, end = (entry.sample(200, 100, torch.Generator().manual_seed(seed)) for seed in (1, 2))
        ends = [entry.path(start, end, torch.full((200, 1), share)) for share in (0.0, 1.0)]
        assert torch.allclose(ends[0], start, atol=1e-4) and torch.allclose(ends[1], end, atol=1e-4)
        middle = entry.path(start, end, torch.full((200, 1), 0.5))
        assert torch.allclose(entry.onto(middle), middle, atol=1e-4), "nothing outside of the prior"
        if name != "uniform":
            ratio = middle.norm(dim=1).mean() / start.norm(dim=1).mean()
            assert float(ratio) == pytest.approx(1, abs=0.02)

    def test_everything_comes_onto_it(self, name: str):
        entry = priors.load(name)
        latents = entry.onto(5 * torch.randn(50, 16))
        assert torch.allclose(entry.onto(latents), latents, atol=1e-5)
        drawn = entry.sample(50, 16, torch.Generator().manual_seed(3))
        assert torch.allclose(entry.onto(drawn), drawn, atol=1e-5)

    def test_is_a_function_of_its_noise(self, name: str):
        sample = priors.load(name).sample
        first, again = (sample(3, 8, torch.Generator().manual_seed(7)) for _ in range(2))
        assert torch.equal(first, again)


FINDINGS = {
    *("discriminator-saturated", "generator-too-strong", "mode-collapse", "mode-hopping", "oscillation"),
    *("checkerboard", "dead-units", "output-saturated", "batch-leak", "memorisation", "too-few-pictures"),
    *("duplicate-pictures", "latent-ignored", "class-ignored", "stalled", "diverging", "late-decay"),
    *("labels-swapped", "range-mismatch", "normalised-twice", "channels-swapped", "trained-in-eval-mode"),
    *("optimizer-mismatch", "gradients-not-cleared", "detach-forgotten", "wrong-class-labels"),
    *("unusual-settings", "uneven-ladder", "nothing-learned", "quality-lost"),
}

EXPERIMENTS = {
    *("upsampling", "downsampling", "leaky-slope", "bounded-output", "batch-noise", "batch-leak"),
    *("spiral", "saturating-loss", "soft-labels", "latent-prior", "ring"),
}

UNEVEN = ["size=33", "ladder=[33, 16, 8]"]


def test_names_that_others_rely_on_stay():
    assert set(detectors.names()) >= FINDINGS
    assert set(experiments.names()) >= EXPERIMENTS


@pytest.mark.parametrize("name", detectors.names())
class TestDetector:
    def test_says_nothing_of_nothing(self, name: str):
        case = RunEvidence([], read_recipe("modern").model_dump(mode="json"), 5000)
        assert isinstance(detectors.load(name).READINGS, tuple)
        for reading in detectors.load(name).READINGS:
            assert len(series_of(case, reading)) == 0
        assert detectors.load(name).find(case) is None

    def test_finds_by_its_name_and_only_where_something_is_wrong(self, name: str, monkeypatch):
        kinds = {_wrong_by(0.0, recipe).kind for recipe in recipes_of(IMAGE)}
        known = tuple(Expectation(kind, 0, (100,), 1, 1000, 128) for kind in sorted(kinds))
        monkeypatch.setattr("ganzfeld.health.expectation.expectations", lambda: known)
        found = [
            (recipe, finding)
            for recipe in recipes_of(IMAGE)
            for much in (1.0, -1.0)
            if (finding := detectors.load(name).find(_wrong_by(much, recipe)))
        ]
        assert {recipe for recipe, _ in found} == set(recipes_of(IMAGE))
        for recipe, finding in found:
            assert isinstance(finding, Finding)
            assert finding.name == name
            assert finding.experiment in {*experiments.names(), ""}
            assert finding.evidence and finding.cause and finding.remedy.text
            assert json.loads(json.dumps(finding.as_json(), allow_nan=False)) == finding.as_json()
            if finding.remedy.settings:
                assert resolve(recipe, [*UNEVEN, *finding.remedy.settings]) != resolve(recipe, UNEVEN)
        assert detectors.load(name).find(_wrong_by(0.0, num_pictures=5000, num_duplicates=0)) is None


def _wrong_by(
    much: float, recipe: str = "modern", num_pictures: int = 100, num_duplicates: int = 50
) -> RunEvidence:
    """A case in which only 1 is healthy, of any reading, and every one is off by so much.

    So are a setting, the ladder and the quality.
    """
    names = {reading for each in detectors.names() for reading in detectors.load(each).READINGS}
    health = dict.fromkeys({*names, "kernel_distance"}, 1 + much) | {"quality_pixels": float(not much)}
    if not much:
        health["twins"] = 0.05  # with 1 all images are alike
    entries = [{"step": number, "images_seen": 100 * number, "health": health} for number in range(1, 21)]
    limits = {name: (Limit(1.0, 1.0, 1.0, 1),) for name in names}
    fields = resolve(recipe, UNEVEN if much else []).model_dump(mode="json")
    unusual = [("batch", "the batch is 1")] if much else []
    run = RunEvidence(entries, fields, num_pictures, num_duplicates, limits=limits, unusual=unusual)
    for name in names & set(DERIVED):
        run.cached(name, functools.partial(run.series, name))  # in place of what would be derived
    return run


@pytest.mark.parametrize("name", recipes.names())
class TestRecipe:
    def test_is_complete_and_goes_both_ways(self, name: str):
        recipe = read_recipe(name)
        assert recipe.name == name
        assert recipe.description
        assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe

    def test_is_frozen(self, name: str):
        with pytest.raises(ValueError, match="frozen"):
            read_recipe(name).batch = 3


WATCHED = "a loop by class, watched"


class Unread(TorchDispatchMode):
    """Fails where a number of a network is read, which on a device would mean to wait for it.

    float64 is for what readings compute on the processor.
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        reads = ("_local_scalar_dense", "nonzero", "equal", "masked_select")
        tensors = [value for value in args if isinstance(value, torch.Tensor)]
        if func.overloadpacket.__name__ in reads and tensors[0].dtype != torch.float64:
            raise AssertionError(f"{func} reads a number")
        return func(*args, **(kwargs or {}))


def everything(probe: ProbeContext) -> list[torch.Tensor]:
    """Copies of all that a reading must leave alone."""
    tensors = [
        torch.get_rng_state(),
        probe.real_logits,
        probe.fake_logits,
        probe.real,
    ]
    for network, optimizer in (
        (probe.generator, probe.generator_optimizer),
        (probe.discriminator, probe.discriminator_optimizer),
        (probe.generator_ema, torch.optim.SGD(probe.generator_ema.parameters())),
    ):
        tensors += network.state_dict().values()
        tensors += [weight.grad for weight in network.parameters() if weight.grad is not None]
        states = optimizer.state.values() if optimizer else ()
        tensors += [moment for state in states for moment in state.values()]
    return [tensor.detach().clone() for tensor in tensors]


EXAMINED = {
    **{name: small(name) for name in recipes_of(IMAGE)},
    **{
        name: small(
            "modern",
            **{f"{side}.normalisation": name for side in ("generator", "discriminator")},
            **{"generator.output": "clip", "batch": 4},
        )
        for name in normalisations.names()
    },
    **{
        name: small("modern", classes=name, **{"discriminator.normalisation": "batch"})
        for name in conditions.names()
        if name != "none"
    },
}


@pytest.fixture(scope="module")
def patients(array_file, by_class, blobs_file, strangers, tmp_path_factory) -> dict[str, ProbeContext]:
    """Each after steps enough for a rhythm; one is a loop that somebody else wrote."""
    by_name = {
        name: patient_of(array_file if recipe.classes == "none" else by_class, recipe, 16)
        for name, recipe in EXAMINED.items()
    }
    return by_name | {WATCHED: watched_probe(strangers, blobs_file, tmp_path_factory.mktemp("watched"))}


class TestReading:
    @pytest.mark.parametrize("name", readings.names())
    def test_names_say_what_they_mean(self, name: str):
        others = {each for other in readings.names() if other != name for each in readings.load(other).NAMES}
        for each, meaning in readings.load(name).NAMES.items():
            assert each not in others, "a name is given once"
            assert meaning.endswith(".")
        assert isinstance(readings.load(name).PASSES, bool)

    @pytest.mark.parametrize("recipe", [*EXAMINED, WATCHED])
    @pytest.mark.parametrize("name", readings.names())
    def test_reads_its_names_and_leaves_no_trace(self, name: str, recipe: str, patients):
        probe, entry = patients[recipe], readings.load(name)
        before, modes = everything(probe), [module.training for module in probe.generator.modules()]
        with Unread():
            found = entry.read(dataclasses.replace(probe))
        assert all(torch.equal(*pair) for pair in zip(everything(probe), before, strict=True))
        assert modes == [module.training for module in probe.generator.modules()]
        for network in (probe.generator, probe.discriminator):
            assert not any(module._forward_hooks for module in network.modules())
        assert set(found) <= set(entry.NAMES)
        for value in found.values():
            assert value.shape == ()
            assert torch.isfinite(value)
            assert not value.requires_grad
        again = entry.read(dataclasses.replace(probe))
        assert all(torch.equal(value, again[key]) for key, value in found.items())

    def test_every_name_is_read_of_some_patient(self, patients):
        for name in readings.names():
            entry = readings.load(name)
            assert set(entry.NAMES) == {key for probe in patients.values() for key in entry.read(probe)}


@pytest.mark.parametrize("name", spaces.names())
class TestSpace:
    @pytest.fixture
    def made(self, name: str, inception_file: Path) -> Space:
        """The space; one whose weights are in no package, with weights that were drawn."""
        return space(name if hasattr(spaces.load(name), "features") else inception_file)

    def test_gives_features_of_grey_and_colour(self, made: Space):
        assert len(made.sha256) == 64 and made.size_px > 0
        for channels in (1, 3):
            found = made.features(blobs(3, 16, channels))
            assert found.shape == (3, made.num_features)
            assert found.dtype == torch.float32 and torch.isfinite(found).all()
        assert made.features(blobs(0, 16)).shape == (0, made.num_features)

    def test_is_a_function_of_each_image_alone(self, made: Space):
        before = torch.get_rng_state()
        images = blobs(12, 16)
        together = made.features(images)
        assert torch.allclose(together[5:7], made.features(images[5:7]), atol=1e-4)
        assert torch.equal(together, made.features(images))
        assert torch.equal(torch.get_rng_state(), before)
        grey = blobs(2, 16, 1)
        assert torch.allclose(made.features(grey), made.features(grey.repeat(3, -1)), atol=1e-5)


@pytest.mark.parametrize("name", measures.names())
class TestMeasure:
    @staticmethod
    def compared(num: int = 60, other: int = 70, shape: tuple[int, int, int] = (16, 16, 3)) -> Comparison:
        small = space("random-convolutions")
        crop = (slice(None), *(slice(side) for side in shape))
        ours, reals, training = (
            Side(images, small.features(images))
            for images in (
                blobs(num, 16, seed=1)[crop],
                255 - blobs(other, 16, seed=2)[crop],
                255 - blobs(other, 16, seed=3)[crop],
            )
        )
        return Comparison(ours, reals, training, small)

    def test_gives_the_figures_it_names_with_intervals(self, name: str):
        entry, before = measures.load(name), torch.get_rng_state()
        assert isinstance(entry.FEATURES, bool)
        assert all(sentence for sentence in entry.NAMES.values())
        comparison = self.compared()
        found = entry.measure(comparison)
        assert [figure.name for figure in found] == list(entry.NAMES)
        for figure in found:
            assert figure.low <= figure.value <= figure.high, figure
            assert figure.error >= 0 and figure.low < figure.high, figure
        assert entry.measure(comparison) == found, "the same again"
        assert torch.equal(torch.get_rng_state(), before)

    def test_takes_any_shape_and_sets_that_are_all_alike(self, name: str):
        measure = measures.load(name).measure
        assert measure(self.compared(shape=(16, 9, 1)))
        small = space("random-convolutions")
        alike = blobs(1, 16).repeat(60, 0)
        side = Side(alike, small.features(alike))
        for figure in measure(Comparison(side, side, side, small)):
            assert not math.isnan(figure.value)


def test_a_figure_has_one_home():
    named = [figure for name in measures.names() for figure in measures.load(name).NAMES]
    assert len(named) == len(set(named))


@pytest.mark.parametrize("name", commands.names())
def test_command_has_help_with_an_example(name: str):
    module = commands.load(name)
    functions = (
        [module.command]
        if hasattr(module, "command")
        else [command.callback for command in module.application.registered_commands]
    )
    for function in functions:
        assert f"Example: ganzfeld {name}" in (inspect.getdoc(function) or ""), name
