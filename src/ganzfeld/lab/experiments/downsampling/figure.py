"""The drawing of ``downsampling``."""

import textwrap
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ganzfeld.lab.language import say
from ganzfeld.lab.looking import show
from ganzfeld.lab.outcome import Outcome

WIDEST_TITLE = 40
"""Characters in a line of the title of a narrow panel."""


def draw(outcome: Outcome) -> Figure:
    """Draw how often each pixel is read, what is lost, what strides and pooling learn, and a blind border."""
    data = outcome.data
    figure = Figure(figsize=(13, 9.6), layout="constrained")
    parts: Any = figure.subfigures(3, 1, height_ratios=(1, 1, 0.7))
    for part, drawn in zip(parts, (_draw_paths, _draw_live, _draw_blind), strict=True):
        drawn(part, data)
    return figure


def _draw_paths(part: Any, data: dict[str, Any]) -> None:
    ladders = data["paths"]
    axes: Any = part.subplots(1, len(ladders) + 1, width_ratios=[1] * len(ladders) + [1.6])
    for place, (name, paths) in zip(axes, ladders.items(), strict=False):
        counted = np.outer(paths, paths).astype(float)
        shown = place.imshow(np.where(counted > 0, counted, np.nan), cmap="viridis", vmin=0)
        place.set_facecolor("red")
        place.set(xticks=[], yticks=[])
        place.set_title(
            say("paths of each pixel to the logit\n{name} (red: none)", name=name), fontsize="medium"
        )
        part.colorbar(shown, ax=place, shrink=0.8)
    place = axes[-1]
    for number, (name, lost) in enumerate(data["lost"].items()):
        place.step(range(8, 33), np.array(lost) + 0.04 * number, where="mid", label=name)
    place.set(xlabel=say("size of the map, N"), ylabel=say("rows never read"))
    place.set_title(say("one layer: rows lost at the far border"), fontsize="medium")
    place.legend(frameon=False, fontsize="small", ncols=3, loc="upper center")
    place.set_ylim(-0.2, 4)
    place.spines[["top", "right"]].set_visible(False)


def _draw_live(part: Any, data: dict[str, Any]) -> None:
    axes: Any = part.subplots(1, 5, width_ratios=[1, 1, 1.2, 1.2, 1.2])
    image = data["image"]
    show(axes[0], image)
    axes[0].set_title(
        say("receptive fields of the middle cells\nof the live discriminator"), fontsize="small"
    )
    height = len(image)
    for number, (rows, _) in enumerate(data["fields"]):
        corner = ((height - rows) / 2 - 0.5, (height - rows) / 2 - 0.5)
        axes[0].add_patch(Rectangle(corner, rows, rows, fill=False, edgecolor=f"C{number}", linewidth=2))
    shown = axes[1].imshow(data["by_pixel"], cmap="magma", vmin=0)
    axes[1].set(xticks=[], yticks=[])
    axes[1].set_title(say("|gradient| of the live logit\nby pixel"), fontsize="small")
    part.colorbar(shown, ax=axes[1], shrink=0.8)
    for place, (task, by_kind) in zip(axes[2:], data["compared"].items(), strict=True):
        for number, values in enumerate(by_kind.values()):
            place.bar(number, np.mean(values), color=f"C{number}", alpha=0.5)
            place.plot([number] * len(values), values, "k.", markersize=4)
        place.set_xticks(
            range(len(by_kind)), [str(kind).replace(" ", "\n") for kind in by_kind], fontsize="small"
        )
        title = str(say("{task}\n(equal parameters; lower is better)", task=task))
        place.set_title(
            "\n".join(textwrap.fill(line, WIDEST_TITLE) for line in title.splitlines()), fontsize="small"
        )
        place.spines[["top", "right"]].set_visible(False)


def _draw_blind(part: Any, data: dict[str, Any]) -> None:
    blind = data.get("blind")
    if not blind:
        return
    axes: Any = part.subplots(1, 2 + len(blind["images"]))
    for place, values, title in (
        (axes[0], np.array(blind["unread"], float), say("pixels unread by a D\nthat ends in k=3, s=2")),
        (axes[1], np.array(blind["off"]), say("error of the mean colour\nthat G learns from it")),
    ):
        place.imshow(values, cmap="magma", vmin=0)
        place.set(xticks=[], yticks=[])
        place.set_title(title, fontsize="small")
    for place, image in zip(axes[2:], blind["images"], strict=True):
        show(place, image)
    axes[3].set_title(say("images of the generator that it trained"), fontsize="small")
