"""Which losses and stabilisers find all modes of a mixture whose density is known."""

from typing import Any, Literal, final

from pydantic import Field

from ganzfeld.errors import UsageError
from ganzfeld.lab.experiments.ring.rules import CHOSEN, every_entry, key_of, label
from ganzfeld.lab.game import Mixture, grid, ring
from ganzfeld.lab.language import say, together
from ganzfeld.lab.outcome import Figures, Sentence
from ganzfeld.recipes.schema import Section

CLAIM = "With a penalty on the gradient of D a generator finds every mode, whatever the loss."
CLAIM_ZH = "只要对判别器的梯度加以惩罚，无论用哪种损失函数，生成器都能覆盖所有模式。"
SECTION = "种子文本之外（文中只在判别器过强处提到模式崩溃）"

SENTENCES = {
    "modes": Sentence(
        "With a penalty on the gradient of D a generator finds every mode, whatever the loss.",
        "只要对判别器的梯度加以惩罚，无论用哪种损失函数，生成器都能覆盖所有模式。",
    ),
}

KINDS = {"ring": (8, lambda sigma: ring(8, 2.0, sigma)), "grid": (25, lambda sigma: grid(5, 1.0, sigma))}
"""The number of modes of each kind, and the function that makes its mixture from sigma."""

LIVE_CLUSTERS = 8
"""Number of clusters of real images in situ."""


@final
class Settings(Section):
    """``mixture``: 8 Gaussians on a ring of radius 2, or 25 on a grid of spacing 1. ``sigma``: their standard
    deviation. ``seeds``: games by each rule, side by side. ``num_rounds``: rounds of a game. ``num_points``:
    points per batch.
    """

    mixture: Literal["ring", "grid"] = "ring"
    sigma: float = 0.1
    seeds: int = Field(default=5, ge=2, le=100)
    num_rounds: int = Field(default=800, ge=1, le=1_000_000)
    num_points: int = Field(default=64, ge=2, le=10_000)

    def model_post_init(self, context: Any) -> None:
        """Raise ``UsageError`` for modes that touch or are too narrow."""
        if not 0.01 <= self.sigma <= 0.15:
            raise UsageError(
                f"sigma is from 0.01 to 0.15, not {self.sigma}",
                "Wider modes touch, and a point would belong to several; narrower ones need longer games.",
            )

    @property
    def target(self) -> Mixture:
        """The mixture itself."""
        return KINDS[self.mixture][1](self.sigma)


SHORT = {"num_rounds": 10, "num_points": 16, "seeds": 2}

THOROUGH: dict[str, int] = {}
"""No other settings: ``--thorough`` plays more entries of the catalogues, which takes long enough."""


def advice(figures: Figures, settings: Settings) -> str:
    """Say which losses and stabilisers to choose where no mode may be lost."""
    names = {f"{key_of(*entry)}-fewest": label(*entry) for entry in (*CHOSEN, *every_entry())}
    fewest = {names[key]: figure.value for key, figure in figures.items() if key in names}
    num_modes = KINDS[settings.mixture][0]
    complete = [name for name, value in fewest.items() if value == num_modes]
    worst = min(fewest, key=lambda name: fewest[name])
    reached = figures["clusters-generated"].value
    return together(
        [
            say(
                "All {num} modes were found in every seed by: {complete}. The fewest by: {worst},"
                " {fewest:.0f} in its worst seed.",
                num=num_modes,
                complete=together(complete, ", ") if complete else say("none of these"),
                worst=worst,
                fewest=fewest[worst],
            ),
            say(
                "Look at quality beside modes: a generator that spreads evenly finds all modes, but most"
                " of its points lie between them."
            ),
            say(
                "In situ the generated images reach {reached:.0f} of {clusters} clusters of real ones.",
                reached=reached,
                clusters=LIVE_CLUSTERS,
            ),
        ]
    )
