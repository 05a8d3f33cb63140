"""The model file and images from it: exact, independent of batch-mates, and safe against damage."""

import json
import pickle
import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from ganzfeld.compute.engine import Engine
from ganzfeld.errors import DamagedError, GanzfeldWarning, UsageError
from ganzfeld.geometry import plan
from ganzfeld.latent import latents_of_seeds
from ganzfeld.model import (
    Card,
    ClassCard,
    as_bytes,
    calibrate,
    columns_by_class,
    files,
    grid,
    images_of_seeds,
    labels_as_in_data,
    load,
    load_model,
    save,
    write_png,
)
from ganzfeld.model.card import GeneratorCard
from ganzfeld.model.sampling import chunk_size
from ganzfeld.networks import Generator, initialise
from ganzfeld.recipes import read_recipe
from ganzfeld.training.step import update_ema

pytestmark = pytest.mark.machine


def made(size=16, normalisation="batch", recipe="radford2015", num_classes=0) -> tuple[Generator, Card]:
    """A generator with lively weights, its statistics fixed, and its card."""
    architecture = read_recipe(recipe).generator.architecture | {"width": 4, "normalisation": normalisation}
    class_size = 4 if num_classes else 0
    card = GeneratorCard.of(
        plan(size),
        channels=3,
        latent_size=8,
        architecture=architecture,
        num_classes=num_classes,
        class_size=class_size,
    )
    generator = card.build()
    initialise(generator, 1)
    with torch.no_grad():
        for weight in generator.parameters():
            if weight.dim() > 1:
                weight.mul_(20)
    shipped = calibrate(generator, "normal")
    return shipped, Card(
        ganzfeld="0",
        generator=card,
        prior="normal",
        recipe=recipe,
        data="test",
        images_seen=7,
        seed=0,
        classes=tuple(ClassCard(name=f"class {label}", num_pictures=1) for label in range(num_classes)),
    )


@pytest.fixture
def saved(tmp_path):
    generator, card = made()
    save(tmp_path / "model", generator, card)
    return tmp_path / "model"


def test_what_is_saved_comes_back(saved):
    generator, card = made()
    model = load_model(saved)
    assert not model.generator.training
    assert model.card.images_seen == card.images_seen
    assert np.array_equal(images_of_seeds(model.generator, range(5)), images_of_seeds(generator, range(5)))
    assert json.loads((saved / "card.json").read_text()) == json.loads(model.card.model_dump_json())


def test_a_model_from_before_there_were_classes_is_read(saved):
    path = saved / "generator.safetensors"
    with safe_open(path, "pt") as file:
        card = json.loads(file.metadata()["card"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 not a dict
    del card["classes"], card["generator"]["num_classes"], card["generator"]["class_size"]
    save_file(tensors, path, metadata={"card": json.dumps(card)})
    model = load_model(saved)
    assert model.card.class_names == () and model.generator.num_classes == 0
    assert np.array_equal(images_of_seeds(model.generator, [3]), images_of_seeds(made()[0], [3]))


@pytest.mark.parametrize("normalisation", ["batch", "instance", "layer", "spectral", "none"])
def test_every_normalisation_can_be_shipped(tmp_path, normalisation):
    generator, card = made(normalisation=normalisation)
    save(tmp_path, generator, card)
    assert np.array_equal(images_of_seeds(load(tmp_path), [3]), images_of_seeds(generator, [3]))


@settings(max_examples=25)
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=150))
def test_an_image_does_not_depend_on_the_others(seeds):
    generator, _ = made()
    together = images_of_seeds(generator, seeds)
    assert np.array_equal(together[-1], images_of_seeds(generator, seeds[-1:])[0])
    assert np.array_equal(together[::-1], images_of_seeds(generator, seeds[::-1]))


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 2)), min_size=1, max_size=150))
def test_with_classes_it_depends_on_seed_and_class_alone(pairs):
    generator, _ = made(num_classes=3)
    seeds, labels = (list(each) for each in zip(*pairs, strict=True))
    together = images_of_seeds(generator, seeds, labels=labels)
    assert np.array_equal(together[-1], images_of_seeds(generator, seeds[-1:], labels=labels[-1:])[0])
    in_turn = images_of_seeds(generator, seeds)
    same = [seed % 3 == label for seed, label in pairs]
    assert np.array_equal(in_turn[same], together[same])


@given(
    st.lists(st.integers(1, 10**6), min_size=2, max_size=30),
    st.integers(0, 2**40),
    st.integers(1, 2000),
)
def test_labels_come_as_often_as_in_the_data(by_class, first, num):
    seeds = range(first, first + num)
    labels = labels_as_in_data(seeds, by_class)
    assert labels is not None
    assert labels_as_in_data(seeds[-1:], by_class) == labels[-1:], "a function of the seed alone"
    found = np.bincount(labels, minlength=len(by_class))
    assert np.abs(found - num * np.array(by_class) / sum(by_class)).max() < 6
    assert labels_as_in_data(seeds, []) is None


@pytest.mark.parametrize(
    ("num_classes", "labels", "message"),
    [
        (3, [0, 1], r"shape \(2,\) for 3 images"),
        (3, [0, 3, 1], "label 3: labels are from 0 to 2"),
        (3, [0, -1, 1], "label -1"),
        (0, [0, 0, 0], "has no classes"),
    ],
)
def test_labels_that_cannot_be_meant(num_classes, labels, message):
    generator, _ = made(num_classes=num_classes)
    with pytest.raises(UsageError, match=message):
        images_of_seeds(generator, range(3), labels=labels)


def test_a_class_is_found_by_its_name_and_no_other():
    _, card = made(num_classes=30)
    assert card.label_of("class 7") == 7
    with pytest.raises(UsageError) as caught:
        card.label_of("klass 7")
    assert caught.value.hint.startswith("Did you mean class 7")
    with pytest.raises(UsageError) as caught:
        card.label_of("zebra\x1b[2J")
    assert caught.value.hint == "There are 30 classes; the model's card.json lists them."
    assert "\x1b" not in caught.value.message


def test_statistics_are_measured_with_classes_as_often_as_in_the_data():
    generator, _ = made(num_classes=3)
    rare, common = (calibrate(generator, "normal", counts) for counts in ([1, 1, 10**6], [10**6, 1, 1]))
    latents = latents_of_seeds(range(2000), 8)
    assert generator.classes is not None
    with torch.no_grad():
        given = torch.cat((latents, generator.classes(torch.full((2000,), 2))), 1)
        mean = generator.projection[0](given).mean((0, 2, 3))
    means = [shipped.state_dict()["projection.1.running_mean"] for shipped in (rare, common)]
    torch.testing.assert_close(means[0], mean, rtol=0.1, atol=0.1)
    assert not torch.allclose(means[1], mean, rtol=0.1, atol=0.1)


@pytest.mark.parametrize(
    ("columns", "num_classes", "wanted"),
    [(8, 0, 8), (8, 2, 8), (8, 10, 10), (8, 3, 9), (8, 16, 16), (8, 17, 8)],
)
def test_columns_by_class(columns, num_classes, wanted):
    assert columns_by_class(columns, num_classes) == wanted


def test_a_full_sized_generator_is_independent_too():
    """At 64 px, alone or among 256, to the last bit before rounding."""
    card = GeneratorCard.of(
        plan(64), channels=3, latent_size=100, architecture=read_recipe("modern").generator.architecture
    )
    generator = card.build()
    initialise(generator, 0)
    shipped = calibrate(generator, "normal")
    among = images_of_seeds(shipped, range(256))
    for seed in (0, 63, 64, 255):
        assert np.array_equal(images_of_seeds(shipped, [seed])[0], among[seed])


def test_large_images_are_made_few_at_a_time():
    assert chunk_size(Generator(plan(64), width=1)) == 64
    assert chunk_size(Generator(plan(512), width=1)) == 1


def test_chunks_are_halved_where_memory_does_not_suffice():
    generator = Generator(plan(64), width=1).eval()
    wanted = images_of_seeds(generator, range(70))
    sizes = []

    def full_above_16(module, inputs):
        sizes.append(len(inputs[0]))
        if sizes[-1] > 16:
            raise torch.OutOfMemoryError("CUDA out of memory")

    generator.register_forward_pre_hook(full_above_16)
    images = images_of_seeds(generator, range(70))
    assert sizes == [64, 32, *[16] * 5]
    assert np.abs(images.astype(int) - wanted).max() <= 1


def test_other_errors_of_a_generator_are_not_hidden():
    generator = Generator(plan(64), width=1).eval()

    def fail(module, inputs):
        raise RuntimeError("a layer is broken")

    generator.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="a layer is broken"):
        images_of_seeds(generator, [0])


def test_calibration_gives_what_batches_of_the_average_have():
    generator, _ = made()
    latents = latents_of_seeds(range(2000), 8)
    with torch.no_grad():
        normalised = generator.projection[0](latents)
        normalised = generator.projection[1](normalised)
    norm = generator.projection[1]
    assert isinstance(norm, torch.nn.BatchNorm2d)
    shift, gain = norm.bias, norm.weight
    assert torch.allclose(normalised.mean((0, 2, 3)), shift, atol=0.1)
    assert torch.allclose(normalised.std((0, 2, 3)), gain.abs(), rtol=0.1)


def test_calibration_leaves_the_original_and_the_random_state_alone():
    generator = Generator(plan(16), width=4).train()
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    state = torch.get_rng_state()
    first, again = calibrate(generator, "normal"), calibrate(generator, "normal")
    assert torch.equal(torch.get_rng_state(), state)
    assert generator.training
    for name, value in generator.state_dict().items():
        assert torch.equal(value, before[name]), name
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_averaged_spectral_weights_are_shipped_with_a_norm_of_one():
    """Averages of singular vectors are not those of the averaged weight."""
    first, second = (Generator(plan(16), width=4, normalisation="spectral") for _ in range(2))
    for seed, generator in enumerate((first, second)):
        initialise(generator, seed)
    update_ema(first, second, 0.5)
    for module in calibrate(first, "normal").modules():
        if torch.nn.utils.parametrize.is_parametrized(module, "weight"):
            weight = module.weight
            assert isinstance(weight, torch.Tensor)
            matrix = weight.flatten(1) if weight.dim() == 2 else weight.transpose(0, 1).flatten(1)
            assert float(torch.linalg.matrix_norm(matrix.detach(), 2)) == pytest.approx(1, rel=0.02)


def test_the_training_layout_is_not_shipped():
    """The layout decides how the libraries add: a model has the same one wherever it comes from."""
    strides = []
    for channels_last in (True, False):
        engine = Engine(torch.device("cpu"), "float32", channels_last)
        shipped = calibrate(engine.place(Generator(plan((24, 40)), width=8)), "normal")
        strides.append([parameter.stride() for parameter in shipped.parameters()])
    assert strides[0] == strides[1]


def test_bytes():
    images = torch.tensor([-2.0, -1.0, 0.0, 1.0, 3.0, 1 / 255]).view(1, 1, 1, 6)
    assert as_bytes(images).ravel().tolist() == [0, 0, 128, 255, 255, 128]


def test_grid_keeps_the_order(tmp_path):
    images = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, 4, 1), np.uint8)
    sheet = grid(images, columns=2)
    assert sheet.shape == (3 * 3 + 4, 4 * 2 + 2, 1)
    assert sheet[0, 0] == 0 and sheet[0, 6] == 1 and sheet[5, 0] == 2 and sheet[10, 0] == 4
    assert sheet[3, 0] == sheet[10, 6] == 255, "gaps and empty places are white"
    write_png(tmp_path / "sheet.png", sheet)
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.size == (10, 13) and image.mode == "L"


class TestDamage:
    @settings(max_examples=60)
    @given(place=st.floats(0, 0.999), bit=st.integers(0, 7))
    def test_any_flipped_bit_is_noticed_or_harmless(self, place, bit, tmp_path_factory):
        folder = tmp_path_factory.mktemp("flipped")
        generator, card = made()
        save(folder, generator, card)
        path = folder / "generator.safetensors"
        content = bytearray(path.read_bytes())
        content[int(place * len(content))] ^= 1 << bit
        path.write_bytes(content)
        told: list[str] = []
        try:
            model = load_model(folder, told.append)
        except DamagedError as error:
            assert "generator.safetensors" in error.message
        else:  # only the header's text may have changed, e.g. the name of the data
            same = zip(model.generator.state_dict().values(), generator.state_dict().values(), strict=True)
            assert all(torch.equal(found, original) for found, original in same)
            written = card.model_copy(update={"weights_sha256": model.card.weights_sha256})
            assert bool(told) == (model.card != written)

    def test_a_copy_that_contradicts_the_weights_is_told_and_not_used(self, saved):
        path = saved / "card.json"
        whole = json.loads(path.read_text())
        path.write_text(json.dumps(whole | {"images_seen": 8, "data": "other"}))
        with pytest.warns(GanzfeldWarning) as told:
            assert load_model(saved).card.images_seen == 7
        (said,) = (str(each.message) for each in told)
        assert said.startswith(f"{path} contradicts generator.safetensors beside it (data, images_seen);")
        for harmless in (
            whole | {"notes": "mine"},
            {key: value for key, value in whole.items() if key != "classes"},
        ):
            path.write_text(json.dumps(harmless))
            load(saved)
        path.unlink()
        load(saved)

    def test_what_a_training_replaces_meanwhile_is_no_contradiction(self, saved, monkeypatch):
        """The weights were read before a save, the copy of their card after it."""
        read = files._read_card_copy

        def read_after_a_save(weights):
            monkeypatch.setattr(files, "_read_card_copy", read)
            copy = read(weights)
            generator, card = made()
            save(saved, generator, card.model_copy(update={"images_seen": 8}))
            return copy

        monkeypatch.setattr(files, "_read_card_copy", read_after_a_save)
        assert load_model(saved).card.images_seen == 7

    @pytest.mark.parametrize("length", [0, 4, 100, 5000, -1])
    def test_a_cut_file_is_named(self, saved, length):
        path = saved / "generator.safetensors"
        path.write_bytes(path.read_bytes()[:length])
        with pytest.raises(DamagedError, match=r"generator\.safetensors is damaged"):
            load(saved)

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b" " * 1_000_001])
    def test_a_damaged_copy_of_the_card_is_named(self, saved, content):
        (saved / "card.json").write_bytes(content)
        with pytest.raises(DamagedError, match=r"card\.json is damaged"):
            load(saved)

    def test_a_pickle_is_never_executed(self, saved, tmp_path):
        class Bomb:
            def __reduce__(self):
                return (open, (str(tmp_path / "executed"), "w"))

        for name in ("generator.safetensors", "card.json"):
            before = (saved / name).read_bytes()
            (saved / name).write_bytes(pickle.dumps(Bomb()))
            with pytest.raises(DamagedError):
                load(saved)
            (saved / name).write_bytes(before)
        assert not (tmp_path / "executed").exists()

    def test_a_huge_header_is_refused(self, saved):
        (saved / "generator.safetensors").write_bytes(struct.pack("<Q", 2**40) + b"{}")
        with pytest.raises(DamagedError):
            load(saved)

    @pytest.mark.parametrize(
        "change",
        [
            {"width": 4096, "latent_size": 65_536},
            {"width": 10**9},
            {"width": -1},
            {"normalisation": "../evil"},
            {"slope": float("inf")},
            {"layers": []},
            {"num_classes": 2000, "class_size": 4096},
            {"num_classes": 3},
            {"num_classes": 10**9, "class_size": 32},
            {"num_classes": -2, "class_size": -2},
        ],
    )
    def test_a_hostile_card_costs_nothing(self, saved, change):
        """A card that asks for terabytes is refused from its shapes alone."""
        path = saved / "generator.safetensors"
        with safe_open(path, "pt") as file:
            card = json.loads(file.metadata()["card"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 not a dict
        card["generator"] |= change
        save_file(tensors, path, metadata={"card": json.dumps(card)})
        with pytest.raises(DamagedError):
            load(saved)

    @pytest.mark.parametrize(
        "classes",
        [
            [],
            [{"name": "a", "num_pictures": 1}] * 3,
            [{"name": name, "num_pictures": 1} for name in "ab"],
            [{"name": name, "num_pictures": 1} for name in ("a", "b", "")],
            [{"name": name, "num_pictures": 1} for name in ("a", "b", "c" * 256)],
            [{"name": name, "num_pictures": 0} for name in "abc"],
            [{"name": str(number), "num_pictures": 1} for number in range(2001)],
            [{"name": name, "num_pictures": 1, "path": "/"} for name in "abc"],
        ],
    )
    def test_hostile_classes_are_refused(self, tmp_path, classes):
        generator, card = made(num_classes=3)
        save(tmp_path, generator, card)
        path = tmp_path / "generator.safetensors"
        with safe_open(path, "pt") as file:
            text = json.loads(file.metadata()["card"]) | {"classes": classes}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 not a dict
        save_file(tensors, path, metadata={"card": json.dumps(text)})
        with pytest.raises(DamagedError, match="its card cannot be read"):
            load(tmp_path)

    def test_a_file_of_something_else(self, tmp_path):
        save_file({"weight": torch.zeros(3)}, tmp_path / "generator.safetensors")
        with pytest.raises(DamagedError, match="no card"):
            load(tmp_path)


def test_where_there_is_no_model(tmp_path):
    (tmp_path / "faces-001" / "model").mkdir(parents=True)
    (tmp_path / "photos").mkdir()
    (tmp_path / "notes").touch()
    with pytest.raises(UsageError, match="holds no model"):
        load(tmp_path / "faces-001")
    for name in ("faces-01", "elsewhere", "photo"):
        with pytest.raises(UsageError, match="there is no run") as caught:
            load(tmp_path / name)
        assert "faces-001" in caught.value.hint
        assert "photos" not in caught.value.hint, "no run"
    with pytest.raises(UsageError, match="holds no model") as caught:
        load(tmp_path)
    assert str(tmp_path / "faces-001") in caught.value.hint
    with pytest.raises(UsageError, match="it is a file"):
        load(tmp_path / "notes")


def test_saving_again_replaces(saved):
    generator, card = made()
    save(saved, generator, card.model_copy(update={"images_seen": 99}))
    assert load_model(saved).card.images_seen == 99
    assert sorted(path.name for path in saved.iterdir()) == ["card.json", "generator.safetensors"]
