"""Settings far from all that is known to train.

Known are the built-in recipes, what our own pages measured (``_MEASURED``), and the defaults of penalties,
which are those of their sources. The moving average cannot be far from what is known: a recipe has none, and
the first steps of a run shorten a long one to about the last tenth of it (``ema_decay`` in
``training/step.py``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from ganzfeld.data.kinds import IMAGE
from ganzfeld.recipes.reading import read_recipe, recipes, recipes_of
from ganzfeld.recipes.schema import Recipe
from ganzfeld.stabilisers import stabiliser

FAR = 10.0
"""The factor beyond which a setting is far from all that is known."""

_NAMES = {
    "generator.optimizer.lr": "the learning rate of the generator",
    "discriminator.optimizer.lr": "the learning rate of the discriminator",
    "generator.optimizer.betas beta1": "beta1 of the generator",
    "generator.optimizer.betas beta2": "beta2 of the generator",
    "discriminator.optimizer.betas beta1": "beta1 of the discriminator",
    "discriminator.optimizer.betas beta2": "beta2 of the discriminator",
    "generator.width": "the width of the generator",
    "discriminator.width": "the width of the discriminator",
    "generator.slope": "the slope of leaky-relu in the generator",
    "discriminator.slope": "the slope of leaky-relu in the discriminator",
    "batch": "the batch",
    "latent.size": "the size of the latent",
    "loss.temperature": "the temperature of the loss",
    "discriminator_steps": "the number of discriminator steps per generator step",
}

_MEASURED: dict[str, tuple[float, ...]] = {
    "latent.size": (32,),  # the runs of docs/doctor.md
    "discriminator_steps": (5,),  # docs/lab/convergence.md
}
"""Values that no built-in recipe has, and with which runs on our pages learned."""

_AS_IN_THE_RECIPE = ("generator.optimizer.lr", "discriminator.optimizer.lr", "stabilisers ")
"""Beginnings of the settings that are compared with the built-in recipe of the same name, if there is one.
The others suit the images and the machine, or are not far as long as any recipe has them."""

_TOLERANCE = 1 + 1e-9  # 1 / (1 - 0.999) is not exactly 1000


@dataclass(frozen=True, slots=True)
class UnusualSetting:
    """A setting that is ``FAR`` from what is known.

    ``path`` is its path in the recipe, and ``part`` names what of it: a beta, or the stabiliser whose weight
    it is. ``usual`` is the value of the built-in recipe ``recipe`` or, where that is empty, the nearest one
    that is known. ``kind`` is that of the data.
    """

    path: str
    value: float
    usual: float
    recipe: str = ""
    part: str = ""
    kind: str = IMAGE

    @property
    def sentence(self) -> str:
        """The setting beside what is usual, in words."""
        key = f"{self.path} {self.part}".strip()
        name = _NAMES.get(key, f"the weight of {self.part}")
        value, usual = _measure(key, self.value), _measure(key, self.usual)
        is_large = self.value > self.usual
        if self.path.endswith("slope"):
            line = "nearly a straight line" if self.value < 1 else "a straight line"
            return f"{name} is {self.value:,g}, {line}; {self._among(is_large)} is {self.usual:,g}"
        factor = f"{_short(value / usual)} times" if is_large else f"1/{_short(usual / value)} of"
        if self.path.endswith("betas"):
            beside = f"an average over {factor} the steps of {self._among(is_large)}"
        else:
            beside = f"{factor} {self._among(is_large)}"
        return f"{name} is {self.value:,g}, {beside} ({self.usual:,g})"

    def _among(self, is_large: bool) -> str:
        if self.recipe:
            return f"the value in {self.recipe}"
        most = "largest" if is_large else "smallest"
        key = f"{self.path} {self.part}".strip()
        if self.usual in _of_recipes(self.kind).get(key, ()):
            return f"the {most} value in any built-in recipe"
        return f"the {most} value that was measured" if key in _MEASURED else "its default"


def unusual_settings(recipe: Recipe) -> tuple[UnusualSetting, ...]:
    """Return the settings that are far from those of the built-in recipe of the same name, or of all known.

    Rates and weights of penalties are compared with the recipe of the same name, if it is built in and has
    them. All others are compared with the range of what is known.
    """
    same = dict(_settings(read_recipe(recipe.name))) if recipe.name in recipes.names() else {}
    unusual = []
    for key, value in _settings(recipe):
        if key in same and key.startswith(_AS_IN_THE_RECIPE):
            values, name = (same[key],), recipe.name
        else:
            values, name = _known(key, recipe.kind), ""
        if not values:
            continue
        least, most = min(values), max(values)
        if _is_far_above(key, value, most) or _is_far_below(key, value, least):
            path, _, part = key.partition(" ")
            unusual.append(
                UnusualSetting(path, value, most if value > most else least, name, part, recipe.kind)
            )
    return tuple(unusual)


def _short(factor: float) -> str:
    """Return a factor with three digits: 2,500 and not 2.5e+03."""
    return f"{float(f'{factor:.3g}'):,.16g}"


def _is_far_above(key: str, value: float, most: float) -> bool:
    if key.endswith("slope"):  # a slope of 1 is a straight line
        return FAR * (1 - value) * _TOLERANCE < 1 - most
    return _measure(key, value) > FAR * _TOLERANCE * _measure(key, most)


def _is_far_below(key: str, value: float, least: float) -> bool:
    # A slope of 0 is that of relu, which recipes use.
    return not key.endswith("slope") and FAR * _TOLERANCE * _measure(key, value) < _measure(key, least)


def _measure(key: str, value: float) -> float:
    """Return what of a setting is compared: of a beta, the number of steps that it averages over."""
    return 1 / (1 - value) if " beta" in key else value


def _settings(recipe: Recipe) -> Iterator[tuple[str, float]]:
    """Yield the settings that are compared: the path and, after a space, the part of it; and the value."""
    for side, network in (("generator", recipe.generator), ("discriminator", recipe.discriminator)):
        yield f"{side}.optimizer.lr", network.optimizer.lr
        for number, beta in enumerate(network.optimizer.betas, start=1):
            yield f"{side}.optimizer.betas beta{number}", beta
        yield f"{side}.width", network.width
        if network.activation == "leaky-relu":
            yield f"{side}.slope", network.slope
    yield "batch", recipe.batch
    yield "latent.size", recipe.latent.size
    yield "loss.temperature", recipe.loss.temperature
    yield "discriminator_steps", recipe.discriminator_steps
    for settings in recipe.stabilisers:
        if "weight" in settings:
            yield f"stabilisers {settings['name']}", settings["weight"]


@cache
def _of_recipes(kind: str) -> dict[str, tuple[float, ...]]:
    """Return the values of each setting in the built-in recipes for images and for a kind of data.

    What trains on images is a beginning for other kinds, but not the other way round.
    """
    values: dict[str, tuple[float, ...]] = {}
    for name in dict.fromkeys([*recipes_of(IMAGE), *recipes_of(kind)]):
        for key, value in _settings(read_recipe(name)):
            values[key] = (*values.get(key, ()), value)
    return values


def _known(key: str, kind: str) -> tuple[float, ...]:
    """Return the values of a setting that are known to train; empty if none is."""
    path, _, part = key.partition(" ")
    default = (stabiliser({"name": part}).model_dump()["weight"],) if path == "stabilisers" else ()
    return (*_of_recipes(kind).get(key, ()), *_MEASURED.get(key, ()), *default)
