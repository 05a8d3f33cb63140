"""Recipes: what the built-in ones say, how settings are laid over them, and what is answered to mistakes."""

import json

import pytest

from ganzfeld.errors import UsageError
from ganzfeld.recipes import changes, read_recipe, resolve, undoing
from ganzfeld.recipes.reading import paths


def test_radford2015_is_the_classical_network():
    recipe = read_recipe("radford2015")
    assert (recipe.batch, recipe.size, recipe.latent.size, recipe.latent.prior) == (
        128,
        (64, 64),
        100,
        "normal",
    )
    for side in (recipe.generator, recipe.discriminator):
        assert (side.width, side.normalisation, side.bias) == (64, "batch", False)
        assert (side.optimizer.lr, side.optimizer.betas) == (2e-4, (0.5, 0.999))
    assert (recipe.generator.activation, recipe.generator.output) == ("relu", "tanh")
    assert (recipe.discriminator.activation, recipe.discriminator.slope) == ("leaky-relu", 0.2)
    assert all(layer.kernel == (4, 4) and layer.padding == (1, 1) for layer in recipe.plan().layers)
    notes = " ".join(recipe.notes)
    assert "5x5" in notes and "uniform" in notes


def test_seed_is_what_the_seed_text_recommends():
    recipe = read_recipe("seed")
    assert {recipe.generator.activation, recipe.discriminator.activation} == {"leaky-relu"}
    assert (recipe.generator.normalisation, recipe.discriminator.normalisation) == ("batch", "none")
    assert recipe.latent.prior == "normal"
    assert (recipe.loss.name, recipe.loss.smoothing, recipe.loss.smooth_sides) == ("non-saturating", 0.1, 2)


def test_settings_by_text_and_by_value():
    by_text = resolve("modern", ["generator.width=16", "loss.name=hinge", "size=48x32", "stabilisers=r1"])
    by_value = resolve(
        "modern", {"generator.width": 16, "loss.name": "hinge", "size": [48, 32], "stabilisers": ["r1"]}
    )
    assert by_text == by_value
    assert by_text.generator.width == 16
    assert by_text.plan().size == (32, 48), "tensors are height by width"
    assert by_text.stabilisers == ({"name": "r1", "weight": 1.0, "every": 1},)


def test_every_path_can_be_set():
    recipe = read_recipe("modern").model_dump(mode="json")
    for path in paths():
        value = recipe
        for part in path.split("."):
            value = value[part]
        assert resolve("modern", {path: value}) == read_recipe("modern"), path


def test_the_contracts_paths_exist():
    fields = {"width", "normalisation", "activation", "slope", "optimizer.lr", "optimizer.betas"}
    wanted = {f"{side}.{field}" for side in ("generator", "discriminator") for field in fields} | {
        "generator.output",
        "latent.prior",
        "latent.size",
        "loss.name",
        "loss.smoothing",
        "loss.smooth_sides",
        "loss.temperature",
        "stabilisers",
        "ema",
        "batch",
        "size",
    }
    assert wanted <= set(paths())


@pytest.mark.parametrize(
    ("setting", "message", "hint"),
    [
        ("generator.widht=3", "generator.widht", "generator.width"),
        ("width=3", "'width'", "generator.width or discriminator.width"),
        ("generator.width=0", "generator.width cannot be 0", ""),
        ("generator.width=wide", "generator.width cannot be 'wide'", ""),
        ("generator.optimizer.lr=-0.1", "generator.optimizer.lr cannot be -0.1", ""),
        ("generator.optimizer.lr=NaN", "generator.optimizer.lr", ""),
        ("generator.optimizer.betas=[0.5]", "generator.optimizer.betas", ""),
        ("discriminator.slope=1.5", "discriminator.slope cannot be 1.5", ""),
        ("lr=1", "unknown recipe field 'lr'", "generator.optimizer.lr or discriminator.optimizer.lr"),
        ("discriminator.lr=1", "unknown recipe field", "Did you mean discriminator.optimizer.lr?"),
        ("generator.output=tan", "unknown output 'tan'", "tanh"),
        ("loss.name=hing", "unknown loss 'hing'", "hinge"),
        ("loss.smoothing=0.5", "smoothing 0.5 is out of range", "0.1"),
        ("loss.smoothing=-0.1", "smoothing -0.1 is out of range", ""),
        ("loss.temperature=0", "temperature 0.0 is out of range", "1"),
        ("size=7", "7x7 is too small: at least 8", ""),
        ("size=64x", "'64x' is not a size", "96x64"),
        ("batch=1", "a batch of 1", "batch"),
        ("stabilisers=r3", "unknown stabiliser 'r3'", "r1"),
        ('stabilisers=[{"name":"r1","wait":3}]', "stabiliser r1", "weight"),
        ('stabilisers=[{"name":"r1","weight":-3}]', "weight", ""),
        ("stabilisers=[3]", "stabiliser", ""),
        ("loss.smooth_sides=[1]", "loss.smooth_sides", ""),
        ("ladder=[96,48]", "begins at 96x96", ""),
        ("ema=1", "ema cannot be 1", ""),
        ("crop=0.5", "crop cannot be 0.5", ""),
        ("crop=-0.1", "crop cannot be -0.1", ""),
        ("width", "'width' is not a setting", "path=value"),
    ],
)
def test_mistakes_are_answered(setting, message, hint):
    with pytest.raises(UsageError) as caught:
        resolve("modern", [setting])
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ("loss=hinge", "Did you mean loss.name?"),
        ("latent=normal", "Did you mean latent.prior?"),
        ("latent=64", "Did you mean latent.size?"),
        ("schedule=linear", "Did you mean schedule.decay?"),
        ("generator=relu", "Did you mean generator.activation?"),
        ("generator=64", "Did you mean generator.width?"),
        ("generator=true", "Did you mean generator.bias?"),
        ("discriminator.optimizer=[0.5,0.9]", "Did you mean discriminator.optimizer.betas?"),
        ("optimizer=0.001", "Did you mean generator.optimizer.lr or discriminator.optimizer.lr?"),
        ('generator={"optimizer": {"lr": 0.1}}', "Did you mean generator.optimizer.lr?"),
        ("schedule=never", "Its fields: schedule.warmup_images, schedule.decay, schedule.floor."),
    ],
)
def test_a_value_for_a_group_is_answered_with_the_fields_that_take_it(setting, hint):
    path, _, value = setting.partition("=")
    for settings in ([setting], {path: json.loads(value) if value[0] in "[{0123456789t" else value}):
        with pytest.raises(UsageError, match=f"'{path}' is a group of recipe fields") as caught:
            resolve("modern", settings)
        assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("generator.optimizer.betas", [True, 0.9]),
        ("discriminator.optimizer.betas", [0.5, False]),
        ("size", True),
        ("size", [64, True]),
        ("size", (True, 64)),
        ("ladder", True),
        ("ladder", [32, True]),
        ("ladder", [32, [8, False]]),
        ("ema", False),
        ("stabilisers", [{"name": "r1", "weight": True}]),
        ("stabilisers", [{"name": "r1", "every": True}]),
    ],
)
def test_no_truth_is_taken_for_a_number(path, value, tmp_path):
    base = read_recipe("modern").model_dump(mode="json")
    (tmp_path / "mine.json").write_text(json.dumps({"base": "modern"} | _nested(path, value)))
    assert resolve(tmp_path / "mine.json", {path: _at(base, path)}), "with the field put right"
    for given, settings in ((tmp_path / "mine.json", {}), ("modern", {path: value})):
        with pytest.raises(UsageError, match=r"must (be a number|hold numbers), not (true|false)$") as told:
            resolve(given, settings)
        assert path.split(".")[-1] in told.value.message


def _nested(path, value):
    for part in reversed(path.split(".")):
        value = {part: value}
    return value


def _at(fields, path):
    for part in path.split("."):
        fields = fields[part]
    return fields


@pytest.mark.parametrize("value", [None, object(), {1, 2}, float("nan"), b"hinge", {"none": 3}])
def test_whatever_python_gives_to_a_group_is_answered(value):
    with pytest.raises(UsageError) as caught:
        resolve("modern", {"loss": value})
    assert caught.value.hint.startswith("Its fields: loss.name, ")


def test_changes_are_told():
    assert changes(read_recipe("modern")) == []
    changed = resolve("modern", ["generator.width=16", "loss.name=hinge", "size=32x48"])
    assert changes(changed) == ["size=[32, 48]", "generator.width=16", "loss.name=hinge"]
    assert resolve(changed, undoing(changed)) == read_recipe("modern")
    assert undoing(changed.model_copy(update={"name": "mine"})) == []


def test_a_batch_of_one_is_fine_without_batch_statistics():
    changed = ["batch=1", "generator.normalisation=layer", "discriminator.normalisation=none"]
    assert resolve("modern", changed).batch == 1


class TestFiles:
    def test_a_complete_file(self, tmp_path):
        path = tmp_path / "mine.json"
        path.write_text(read_recipe("seed").model_dump_json())
        assert read_recipe(path) == read_recipe("seed")

    @pytest.mark.parametrize("field", ["crop", "classes"])
    def test_a_file_from_before_there_was_a_field(self, tmp_path, field):
        path = tmp_path / "mine.json"
        fields = read_recipe("seed").model_dump(mode="json")
        del fields[field]
        path.write_text(json.dumps(fields))
        assert read_recipe(path) == read_recipe("seed")

    def test_a_file_of_differences(self, tmp_path):
        path = tmp_path / "mine.json"
        path.write_text(json.dumps({"base": "seed", "name": "mine", "generator": {"width": 8}}))
        recipe = read_recipe(path)
        assert (recipe.name, recipe.generator.width, recipe.generator.activation) == ("mine", 8, "leaky-relu")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("{", "not JSON"),
            ("[]", "one JSON object"),
            ('{"name": "x"}', "lacks the field"),
            ('{"base": "modern", "wdith": 3}', "unknown recipe field 'wdith'"),
            ('{"base": "modrn"}', "unknown recipe 'modrn'"),
            ("[" * 100_000, "not JSON"),
            (" " * 1_000_001, "too large"),
        ],
    )
    def test_mistakes_are_answered(self, tmp_path, content, message):
        path = tmp_path / "mine.json"
        path.write_text(content)
        with pytest.raises(UsageError, match=message):
            read_recipe(path)

    @pytest.mark.parametrize(
        ("fields", "hint"),
        [
            ({"loss": "hinge"}, "Did you mean loss.name?"),
            ({"schedule": "cosine"}, "Did you mean schedule.decay?"),
            ({"generator": {"optimizer": 0.1}}, "Did you mean generator.optimizer.lr?"),
            ({"latent": None}, "Its fields: latent.prior, latent.size."),
        ],
    )
    def test_a_value_for_a_group_is_answered_with_the_fields_that_take_it(self, tmp_path, fields, hint):
        path = tmp_path / "mine.json"
        path.write_text(json.dumps({"base": "modern", **fields}))
        with pytest.raises(UsageError, match="is a group of recipe fields and cannot be") as caught:
            read_recipe(path)
        assert caught.value.hint == hint

    @pytest.mark.parametrize("content", ['{"generator": 5}', "{}"])
    def test_settings_over_a_broken_file(self, tmp_path, content):
        path = tmp_path / "mine.json"
        path.write_text(content)
        with pytest.raises(UsageError):
            resolve(path, ["generator.width=3"])

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(UsageError, match=r"absent\.json cannot be read"):
            read_recipe(tmp_path / "absent.json")
