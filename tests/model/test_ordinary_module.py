"""The loaded generator as an ordinary module of torch: whatever torch does with modules works with it.

Traced, scripted, exported and compiled generators consist of torch's own operations. The last layer of ours
is one matrix product, so results differ by rounding.
"""

import contextlib
import copy
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.jit._trace import TracerWarning

import ganzfeld as gz
from ganzfeld.errors import UsageError
from ganzfeld.geometry import plan
from ganzfeld.model import Card, ClassCard, calibrate, images_of_seeds, save
from ganzfeld.model.card import GeneratorCard
from ganzfeld.networks import Generator, initialise

ROUNDING = 1e-5
"""Of float32; a level of 8 bits is 8e-3. Seen: 1.5e-6 at most."""

KINDS = {
    "batch": {},
    "instance": {"normalisation": "instance", "activation": "leaky-relu", "output": "clip"},
    "layer": {"normalisation": "layer", "activation": "silu", "output": "sigmoid"},
    "group": {"normalisation": "group", "activation": "elu", "output": "linear"},
    "spectral": {"normalisation": "spectral", "output": "linear"},
    "none": {"normalisation": "none", "bias": False},
    "classes": {"num_classes": 3},
    "not square": {"size": (12, 20), "channels": 1},
    "odd": {"size": (9, 15)},
    "one axis": {"size": (32,)},
    "three axes": {"size": (8, 12, 8), "channels": 2},
    "classes, spectral": {"num_classes": 3, "normalisation": "spectral"},
}


def written(folder: Path, size=(16, 16), channels=3, num_classes=0, **architecture) -> Path:
    """A model folder with a generator of lively weights."""
    usual = {"width": 4, "normalisation": "batch", "activation": "relu", "output": "tanh"}
    card = GeneratorCard.of(
        plan(size),
        channels=channels,
        latent_size=8,
        architecture=usual | {"slope": 0.2, "bias": True} | architecture,
        num_classes=num_classes,
        class_size=4 if num_classes else 0,
    )
    generator = card.build()
    initialise(generator, 1)
    with torch.no_grad():
        for weight in generator.parameters():
            weight.mul_(20) if weight.dim() > 1 else weight.add_(0.1)
    names = tuple(ClassCard(name=name, num_pictures=1) for name in ("cat", "dog", "owl")[:num_classes])
    about = {
        "ganzfeld": "0",
        "prior": "normal",
        "recipe": "modern",
        "data": "test",
        "images_seen": 7,
        "seed": 0,
    }
    save(folder, calibrate(generator, "normal"), Card(generator=card, classes=names, **about))
    return folder


@pytest.fixture(params=KINDS)
def generator(request, tmp_path) -> Generator:
    return gz.load(written(tmp_path, **KINDS[request.param]))


@pytest.fixture
def usual(tmp_path) -> Generator:
    return gz.load(written(tmp_path))


@pytest.fixture
def by_class(tmp_path) -> Generator:
    return gz.load(written(tmp_path, num_classes=3))


def arguments(generator: Generator, num: int) -> tuple[Tensor, ...]:
    latents = gz.latents_of_seeds(range(num), generator.latent_size)
    labels = torch.arange(num) % max(1, generator.num_classes)
    return (latents, labels) if generator.num_classes else (latents,)


@contextlib.contextmanager
def old_ways_of_torch() -> Iterator[None]:
    """TorchScript works and warns that it will not for ever; torch's own norms look at sizes in traces."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*(deprecated|legacy TorchScript|will be removed)")
        warnings.filterwarnings("ignore", category=TracerWarning, module="torch.nn")
        yield


def has_group_norm(generator: Generator) -> bool:
    """Whether torch.vmap refuses it: torch 2.13 cannot map group norm over maps with channels last."""
    return any(isinstance(module, nn.GroupNorm) for module in generator.modules())


def assert_same(other, generator: Generator, num: int = 5, apart: float = ROUNDING) -> None:
    """Asked with another batch than it was made with."""
    inputs = arguments(generator, num)
    expected = generator(*inputs)
    made = other(*inputs)
    assert made.shape == expected.shape and made.dtype == expected.dtype
    assert float((made - expected).abs().max()) <= apart * max(1.0, float(expected.abs().max()))
    assert float(expected.std()) > 0.01, "lively"


class Around(nn.Module):
    """A generator as a part of another module."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        images = self.generator(latents, labels) if self.generator.num_classes else self.generator(latents)
        return images + 1


class TestGraphs:
    def test_traced(self, generator):
        with old_ways_of_torch():
            traced = torch.jit.trace(generator, arguments(generator, 2))
            assert_same(traced, generator)
            assert_same(torch.jit.freeze(traced), generator)

    def test_traced_to_a_file(self, usual, tmp_path):
        with old_ways_of_torch():
            traced: Any = torch.jit.trace(usual, arguments(usual, 2))
            traced.save(tmp_path / "traced.pt")
            assert_same(torch.jit.load(tmp_path / "traced.pt"), usual)

    def test_scripted(self, generator):
        with old_ways_of_torch():
            assert_same(torch.jit.script(generator), generator)

    def test_exported_with_the_batch_free(self, generator):
        inputs = arguments(generator, 2)
        batch = torch.export.Dim("batch")
        shapes = tuple({0: batch} for _ in inputs)
        exported = torch.export.export(generator, inputs, dynamic_shapes=shapes)
        operations = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
        assert not any("as_strided" in name or "slice" in name for name in operations), "torch's own layers"
        assert_same(exported.module(), generator)

    def test_compiled(self, generator):
        torch._dynamo.reset()
        assert_same(torch.compile(generator, backend="aot_eager", fullgraph=True), generator)

    def test_recorded_by_make_fx(self, generator):
        inputs = arguments(generator, 5)
        assert_same(make_fx(generator)(*inputs), generator)

    def test_traced_by_fx(self, generator):
        """Alone, and inside a module of somebody's."""
        assert_same(torch.fx.symbolic_trace(generator), generator)
        inner = torch.fx.symbolic_trace(Around(generator))
        assert_same(lambda *inputs: inner(*inputs) - 1, generator)

    @pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
    def test_traced_by_fx_for_every_precision(self, usual, kind):
        traced = torch.fx.symbolic_trace(usual).to(kind)
        latents = torch.randn(3, 8, dtype=kind)
        expected = copy.deepcopy(usual).to(kind)(latents)
        assert traced(latents).dtype == expected.dtype
        assert torch.allclose(traced(latents), expected, atol=1e-1 if kind.itemsize == 2 else 1e-12)

    @pytest.mark.parametrize("shape", [(2, 8, 1, 1)])
    def test_latents_with_axes_of_one(self, usual, shape):
        with old_ways_of_torch():
            traced: Any = torch.jit.trace(usual, torch.randn(shape))
        latents = torch.randn(5, 8)
        assert float((traced(latents[:, :, None, None]) - usual(latents)).abs().max()) <= ROUNDING


class TestModules:
    def test_copied_and_pickled(self, generator, tmp_path):
        assert_same(copy.deepcopy(generator), generator, apart=0)
        torch.save(generator, tmp_path / "module.pt")
        assert_same(torch.load(tmp_path / "module.pt", weights_only=False), generator, apart=0)

    def test_state_dict_comes_back(self, generator):
        other = copy.deepcopy(generator)
        for weight in other.parameters():
            weight.zero_()
        other.load_state_dict(generator.state_dict())
        assert_same(other, generator, apart=0)

    def test_training_mode_and_back(self, generator):
        other = copy.deepcopy(generator)
        assert other.train().training and other.requires_grad_(True) is other
        other(*arguments(generator, 4)).sum().backward()
        assert all(weight.grad is not None for weight in other.parameters())
        fresh = copy.deepcopy(generator).train().eval()
        assert_same(fresh, generator, apart=0)

    @pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
    def test_cast(self, generator, dtype):
        latents, *labels = arguments(generator, 5)
        other = copy.deepcopy(generator).to(dtype)
        made = other(latents.to(dtype), *labels)
        assert made.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        # bfloat16 has eight bits, and so have the bytes of an image.
        apart = {torch.float64: 2e-6, torch.float16: 0.03, torch.bfloat16: 0.2}[dtype]
        assert float((made - generator(latents, *labels)).abs().max()) < apart * float(made.abs().max())
        assert other.half() is other

    def test_on_meta(self, generator):
        other = copy.deepcopy(generator).to("meta")
        inputs = tuple(each.to("meta") for each in arguments(generator, 5))
        assert other(*inputs).shape == (5, generator.channels, *generator.plan.size)

    def test_no_image_at_all(self, generator):
        if any(isinstance(module, nn.InstanceNorm2d) for module in generator.modules()):
            return  # torch's own instance norm takes no empty batch
        assert generator(*arguments(generator, 0)).shape == (0, generator.channels, *generator.plan.size)

    def test_functional_call(self, generator):
        doubled = {name: 2 * value for name, value in generator.named_parameters()}
        other = copy.deepcopy(generator)
        other.load_state_dict(doubled, strict=False)
        inputs = arguments(generator, 5)
        made = torch.func.functional_call(generator, doubled, inputs)
        assert torch.equal(made, other(*inputs))

    def test_images_of_a_cast_one(self, usual):
        assert np.array_equal(
            images_of_seeds(copy.deepcopy(usual).double(), range(3)) // 32,
            images_of_seeds(usual, range(3)) // 32,
        )


class TestDerivatives:
    def test_vmap(self, generator):
        if has_group_norm(generator):
            return

        def one(*inputs: Tensor) -> Tensor:
            return generator(*(each[None] for each in inputs))[0]

        assert_same(torch.vmap(one), generator)

    def test_forward_and_backward_agree(self, generator):
        latents, *labels = arguments(generator, 2)

        def brightness(latents: Tensor) -> Tensor:
            return (generator(latents, *labels) ** 2).flatten(1).mean(1)

        if has_group_norm(generator):
            return
        with old_ways_of_torch():  # in which torch writes its forward derivatives
            forward = torch.func.jacfwd(brightness)(latents)
        backward = torch.func.jacrev(brightness)(latents)
        torch.testing.assert_close(forward, backward, rtol=1e-4, atol=1e-5)

    def test_derivatives_of_second_order(self, generator):
        double = copy.deepcopy(generator).double()
        latents, *labels = arguments(generator, 2)
        latents = latents.double().requires_grad_(True)

        def smooth(latents: Tensor) -> Tensor:
            return double(latents, *labels).square().mean()

        assert torch.autograd.gradcheck(smooth, latents)
        if "relu" not in str(generator).lower() and "hardtanh" not in str(generator).lower():
            assert torch.autograd.gradgradcheck(smooth, latents)
        (first,) = torch.autograd.grad(smooth(latents), latents, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), latents)
        assert second.isfinite().all()


class TestArguments:
    def test_trailing_axes_of_one(self, usual):
        latents = torch.randn(3, 8)
        assert torch.equal(usual(latents[:, :, None, None]), usual(latents))
        assert torch.equal(usual(latents[:, :, None]), usual(latents))

    @pytest.mark.parametrize(
        ("wrong", "message", "hint"),
        [
            (torch.randn(8), r"shape \(8,\)", "reshape"),
            (torch.randn(3, 7), r"shape \(3, 7\)", "latents_of_seeds"),
            (torch.randn(3, 8, 2, 1), r"shape \(3, 8, 2, 1\)", "torch.randn"),
            (torch.randn(3, 1, 8), r"shape \(3, 1, 8\)", "torch.randn"),
            (torch.tensor(1.0), r"shape \(\)", "torch.randn"),
            (torch.zeros(3, 8, dtype=torch.int64), "latents are int64", "prior"),
            (torch.zeros(3, 8, dtype=torch.bool), "latents are bool", "prior"),
            (torch.randn(3, 8, dtype=torch.float64), "latents are float64, .*float32", "torch.float32"),
            (torch.randn(3, 8, dtype=torch.complex64), "latents are complex64", "torch.float32"),
            (torch.full((3, 8), torch.nan), "NaN or infinity", "isfinite"),
            (torch.full((3, 8), -torch.inf), "NaN or infinity", "isfinite"),
            (torch.randn(3, 8, device="meta"), "on meta, but the generator is on cpu", "cpu"),
            (np.zeros((3, 8), np.float32), "latents are a ndarray", "as_tensor"),
            ([[0.0] * 8], "latents are a list", "as_tensor"),
            (None, "latents are a NoneType", "as_tensor"),
            ("latents", "latents are a str", "as_tensor"),
        ],
    )
    def test_latents_that_do_not_fit(self, usual, wrong, message, hint):
        with pytest.raises(UsageError, match=message) as caught:
            usual(wrong)
        assert hint in caught.value.hint

    @pytest.mark.parametrize(
        "labels",
        [
            [2, 0, 1],
            (2, 0, 1),
            np.array([2, 0, 1], np.uint8),
            np.array([2, 0, 1], np.uint64),
            np.array(["owl", "cat", "dog"]),
            np.array(["owl", "cat", "dog"], dtype=object),
            torch.tensor([2, 0, 1], dtype=torch.int32),
            torch.tensor([2, 0, 1], dtype=torch.uint8),
            ["owl", "cat", "dog"],
            ["owl", 0, np.int16(1)],
            [torch.tensor(2), torch.tensor(0), torch.tensor(1)],
            [np.str_("owl"), "cat", "dog"],
            iter([2, 0, 1]),
        ],
    )
    def test_labels_of_every_kind(self, by_class, labels):
        latents = torch.randn(3, 8)
        assert torch.equal(by_class(latents, labels), by_class(latents, torch.tensor([2, 0, 1])))

    @pytest.mark.parametrize("label", [2, "owl", np.int64(2), np.array(2), torch.tensor(2)])
    def test_one_class_for_all(self, by_class, label):
        latents = torch.randn(3, 8)
        assert torch.equal(by_class(latents, label), by_class(latents, torch.tensor([2, 2, 2])))

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ([0, 1, 3], "no class with the label 3: labels are from 0 to 2"),
            (torch.tensor([0, 1, 3]), "no class with the label 3"),
            (torch.tensor([0, -1, 2]), "no class with the label -1"),
            (np.array([0, -1, 2]), "no class with the label -1"),
            ([0, 1, 10**30], "no class with the label 1000"),
            (7, "no class with the label 7"),
            ([0.0, 1.0, 2.0], "0.0 is not a class"),
            (1.0, "1.0 is not a class"),
            ([True, False, True], "True is not a class"),
            (True, "True is not a class"),
            ([0, None, 1], "None is not a class"),
            ([[0], [1], [2]], r"\[0\] is not a class"),
            (np.array([0.0, 1.0, 2.0]), "labels are float64"),
            (torch.tensor([0.0, 1.0, 2.0]), "labels are float32"),
            (torch.tensor([True, False, True]), "labels are bool"),
            (torch.tensor([[0], [1], [2]]), r"shape \(3, 1\) for 3 images"),
            ([0, 1], r"shape \(2,\) for 3 images"),
            ([], r"shape \(0,\) for 3 images"),
            (["cat", "dog", "cow"], "no class 'cow'"),
            ("hog", "no class 'hog'"),
            ({"cat": 1}, "labels cannot be"),
            (b"cat", "labels cannot be"),
            (object(), "labels cannot be"),
            (None, "has 3 classes, but no labels were given"),
        ],
    )
    def test_labels_that_name_no_class(self, by_class, wrong, message):
        with pytest.raises(UsageError, match=message) as caught:
            by_class(torch.randn(3, 8), wrong)
        assert caught.value.hint

    def test_labels_where_there_are_no_classes(self, usual):
        with pytest.raises(UsageError, match="has no classes"):
            usual(torch.randn(3, 8), [0, 0, 0])

    def test_autocast_takes_halves(self, usual):
        latents = torch.randn(3, 8)
        with torch.autocast("cpu", torch.bfloat16):
            assert usual(latents.bfloat16()).dtype == torch.float32
