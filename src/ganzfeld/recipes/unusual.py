"""Settings far from all that is known to train: rates, widths, batches and weights of penalties."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from ganzfeld.recipes.reading import read_recipe, recipes
from ganzfeld.recipes.schema import Recipe

FAR = 10.0
"""The factor beyond which a setting is far from those of the built-in recipes."""

NAMES = {
    "generator.optimizer.lr": "the learning rate of the generator",
    "discriminator.optimizer.lr": "the learning rate of the discriminator",
    "generator.width": "the width of the generator",
    "discriminator.width": "the width of the discriminator",
    "batch": "the batch",
}


@dataclass(frozen=True, slots=True)
class UnusualSetting:
    """A setting that is ``FAR`` from what is usual.

    ``path`` is its path in the recipe; ``stabiliser`` names the one whose weight it is. ``usual`` is the
    value of the built-in recipe ``recipe`` or, where that is empty, the nearest one of all built-in recipes.
    """

    path: str
    value: float
    usual: float
    recipe: str = ""
    stabiliser: str = ""

    @property
    def sentence(self) -> str:
        """The setting beside what is usual, in words."""
        name = f"the weight of {self.stabiliser}" if self.stabiliser else NAMES[self.path]
        whose = f"in {self.recipe}" if self.recipe else "in any built-in recipe"
        if self.value > self.usual:
            beside = f"{self.value / self.usual:,.3g} times the {'' if self.recipe else 'largest '}value"
        else:
            beside = f"1/{self.usual / self.value:,.3g} of the {'' if self.recipe else 'smallest '}value"
        return f"{name} is {self.value:,g}, {beside} {whose} ({self.usual:,g})"


def unusual_settings(recipe: Recipe) -> tuple[UnusualSetting, ...]:
    """Return the settings that are far from those of the built-in recipe of the same name, or of all.

    Rates and weights of penalties are compared with the recipe of the same name, if it is built in. Widths
    and batches suit the images and the machine; they, and the rates of other recipes, are compared with the
    range of all built-in recipes.
    """
    same = _numbers(read_recipe(recipe.name)) if recipe.name in recipes.names() else {}
    unusual = []
    for path, value in _numbers(recipe).items():
        if path in same and path not in ("generator.width", "discriminator.width", "batch"):
            least = most = same[path]
            name = recipe.name
        elif path in _ranges():
            (least, most), name = _ranges()[path], ""
        else:
            continue
        if least <= FAR * value and value <= FAR * most:
            continue
        path, _, stabiliser = path.partition(" ")
        unusual.append(UnusualSetting(path, value, most if value > most else least, name, stabiliser))
    return tuple(unusual)


def _numbers(recipe: Recipe) -> dict[str, float]:
    return dict(_pairs(recipe))


def _pairs(recipe: Recipe) -> Iterator[tuple[str, float]]:
    for side, network in (("generator", recipe.generator), ("discriminator", recipe.discriminator)):
        yield f"{side}.optimizer.lr", network.optimizer.lr
        yield f"{side}.width", network.width
    yield "batch", recipe.batch
    for stabiliser in recipe.stabilisers:
        if "weight" in stabiliser:
            yield f"stabilisers {stabiliser['name']}", stabiliser["weight"]


@cache
def _ranges() -> dict[str, tuple[float, float]]:
    """Return the least and the largest value of each setting in the built-in recipes."""
    values: dict[str, list[float]] = {}
    for name in recipes.names():
        for path, value in _pairs(read_recipe(name)):
            values.setdefault(path, []).append(value)
    return {path: (min(known), max(known)) for path, known in values.items()}
