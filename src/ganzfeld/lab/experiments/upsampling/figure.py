"""The drawing of ``upsampling``."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ganzfeld.lab.language import say
from ganzfeld.lab.looking import show
from ganzfeld.lab.outcome import Outcome


def draw(outcome: Outcome) -> Figure:
    """Draw coverage, spectra, the reach of a cell and of z, and the checkerboard through training."""
    data = outcome.data
    figure = Figure(figsize=(13, 9.6), layout="constrained")
    parts: Any = figure.subfigures(3, 1)
    for part, drawn in zip(parts, (_draw_coverage, _draw_reach, _draw_training), strict=True):
        drawn(part, data)
    return figure


def _draw_coverage(part: Any, data: dict[str, Any]) -> None:
    maps, spectra = data["coverage"], data["spectra"]
    axes = part.subplots(1, len(maps) + 1, width_ratios=[1] * len(maps) + [2.6])
    for place, (name, covered) in zip(axes, maps.items(), strict=False):
        shown = place.imshow(covered, cmap="viridis", vmin=0)
        place.set(xticks=[], yticks=[])
        place.set_title(say("inputs that reach each output\n{name}", name=name), fontsize="medium")
        part.colorbar(shown, ax=place, shrink=0.8)
    place = axes[-1]
    for number, kind in enumerate(spectra):
        place.semilogy(kind["frequency"], kind["power"], label=kind["name"], **_style(number, kind["plain"]))
    place.set(
        xlabel=say("frequency, periods per pixel"),
        ylabel=say("power over its median"),
    )
    place.set_title(
        say("untrained generators with random kernels: power along rows and columns"), fontsize="medium"
    )
    _tidy(place)


def _draw_reach(part: Any, data: dict[str, Any]) -> None:
    axes = part.subplots(1, 5)
    for place, (what, values) in zip(
        axes,
        ((say("a cell of the base map"), "of_cell"), (say("a component of z"), "of_component")),
        strict=False,
    ):
        change = np.log10(np.array(data[values]) + 1e-12)
        shown = place.imshow(change, cmap="magma", vmin=change.max() - 5, vmax=change.max())
        place.set(xticks=[], yticks=[])
        place.set_title(say("change by {what}\n(log10)", what=what), fontsize="medium")
        part.colorbar(shown, ax=place, shrink=0.8)
    titles = (say("latent a"), say("latent b"), say("left cells of a,\nright cells of b"))
    for place, title, image in zip(axes[2:], titles, data["spliced"], strict=True):
        show(place, image, title)


def _draw_training(part: Any, data: dict[str, Any]) -> None:
    trained = data.get("trained", [])
    axes: Any = part.subplots(
        1, 2 + len(trained), width_ratios=[2.2, 1.6 if trained else 0.01, *[1] * len(trained)]
    )
    place, bars = axes[0], axes[1]
    for run in data["runs"] if "through" in data else ():
        seen, values, errors, _ = map(np.array, zip(*run["through"], strict=True))
        place.errorbar(range(len(seen)), values, 3 * errors, marker="o", capsize=3, color="C0")
        place.set_xticks(range(len(seen)), [f"{axis:,}" for axis in seen])
    place.axhline(0, color="gray", linewidth=0.8)
    place.set_title(say("checkerboard beyond that of real images,\nthe live generator"), fontsize="medium")
    place.set(
        xlabel=say("images seen"),
        ylabel="log10",
    )
    bars.set_visible(bool(trained))
    for number, kind in enumerate(trained):
        values = kind["values"]
        bars.barh(number, np.mean(values), color=_style(number, kind["plain"])["color"], alpha=0.5)
        bars.plot(values, [number] * len(values), "k.", markersize=4)
        show(axes[2 + number], kind["image"], kind["name"])
    bars.set_yticks(range(len(trained)), [kind["name"] for kind in trained])
    bars.invert_yaxis()
    bars.set_xlabel("log10")
    bars.set_title(say("the same by kind of layer,\nshorter runs"), fontsize="medium")
    bars.axvline(0, color="gray", linewidth=0.8)
    for axis in (place, bars):
        axis.spines[["top", "right"]].set_visible(False)


def _style(number: int, plain: bool) -> dict[str, Any]:
    # Equal spectra lie on one another, so the first line is the widest.
    width = max(1.2, 4.0 - 1.4 * number)
    return {"color": f"C{number}", "linestyle": "-" if plain else "--", "linewidth": width}


def _tidy(place: Any) -> None:
    place.grid(alpha=0.3)
    place.legend(frameon=False, fontsize="small")
    place.spines[["top", "right"]].set_visible(False)
