"""The drawing of ``spiral``."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganzfeld.lab.experiments.spiral import theory
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Outcome

COLOURS = {
    "simultaneous": "#d62728",
    "alternating": "#1f77b4",
    "extragradient": "#2ca02c",
    "optimistic": "#9467bd",
    "consensus": "#ff7f0e",
    "adam": "#8c564b",
}


def draw(outcome: Outcome) -> Figure:
    """Draw the phase portrait, the regions of convergence by method, and the live game's eigenvalues and
    logits.
    """
    figure = Figure(figsize=(15, 13), layout="constrained")
    grid = figure.add_gridspec(4, 6)
    data = outcome.data
    _portrait(figure.add_subplot(grid[:2, :3]), outcome)
    _live_values(figure.add_subplot(grid[0, 3:]), data)
    _logits(figure.add_subplot(grid[1, 3:]), data)
    for place, name in enumerate(COLOURS):
        _region(figure.add_subplot(grid[2, place]), name, outcome, place == 0)
        _largest_steps(figure.add_subplot(grid[3, place]), name, outcome, place == 0)
    return figure


def _portrait(axes: Axes, outcome: Outcome) -> None:
    settings, paths = outcome.settings, outcome.data["paths"]
    reach = 1.4
    line = np.linspace(-reach, reach, 25)
    x, y = np.meshgrid(line, line)
    axes.streamplot(
        line, line, y - settings["lg"] * x, -x - settings["ld"] * y, color="0.82", density=1.1, linewidth=0.8
    )
    for name, path in paths.items():
        inside = np.abs(path).max(1) < 3 * reach
        shown = path[: int(np.argmin(inside)) if not inside.all() else len(path)]
        axes.plot(*shown.T, ".-", color=COLOURS[name], label=name, linewidth=1, markersize=3, alpha=0.9)
    axes.plot(*paths["simultaneous"][0], "k*", markersize=12)
    axes.set(
        xlim=(-reach, reach),
        ylim=(-reach, reach),
        xlabel=say("x (generator)"),
        ylabel=say("y (discriminator)"),
    )
    axes.set_aspect("equal")
    axes.set_title(
        say(
            "the flow at lg = {lg:g}, ld = {ld:g} (grey), and {num} rounds of each method at h = {step:g}",
            lg=settings["lg"],
            ld=settings["ld"],
            num=len(paths["adam"]) - 1,
            step=settings["step"],
        )
    )
    axes.legend(loc="upper right", fontsize=8)


def _region(axes: Axes, name: str, outcome: Outcome, first: bool) -> None:
    """Draw the growth per round over (h, ld) at lg = 0; the dots are games."""
    data, strength = outcome.data, outcome.settings["strength"]
    steps, damping = data["map_steps"], data["map_damping"]
    played = data["map"][name][:, 0, :]
    h, ld = np.meshgrid(np.geomspace(steps[0] * 0.9, steps[-1] * 1.1, 90), np.linspace(0, 2.1, 70))
    places_h, places_ld = (grid.ravel() for grid in np.meshgrid(steps, damping, indexing="ij"))
    axes.set_xscale("log")
    if name == "adam":
        sizes = np.log10(np.maximum(played, 1e-4)).T
        axes.pcolormesh(steps, np.arange(len(damping)), sizes, cmap="RdBu_r", vmin=-3, vmax=3)
        axes.set_yticks(np.arange(len(damping)), [f"{value:.2g}" for value in damping], fontsize=7)
        axes.set_title(say("adam, radius after all rounds\nblue: smaller than at first"), fontsize=9)
    else:
        growth = np.log10(np.maximum(theory.growth(name, h, 0.0, ld, strength), 1e-3))
        axes.contourf(h, ld, growth, levels=np.linspace(-0.3, 0.3, 13), cmap="RdBu_r", extend="both")
        axes.contour(h, ld, growth, levels=[0], colors="k", linewidths=1.2)
        # A game that does neither is bounded, and grey.
        moves = np.log(np.maximum(played.ravel(), 1e-300))
        marks = np.where(moves > 0.05, "#b2182b", np.where(moves < -0.05, "#2166ac", "0.5"))
        axes.scatter(places_h, places_ld, c=marks, s=14, edgecolors="w", linewidths=0.5)
        axes.set_title(say("{name}\nblue: converges, red: diverges", name=name), fontsize=9)
    axes.set_xlabel(say("step h (lg = 0)"))
    if first:
        axes.set_ylabel("ld")


def _largest_steps(axes: Axes, name: str, outcome: Outcome, first: bool) -> None:
    """Draw the largest step that converges over (lg, ld); for Adam, the size of its cycle in steps."""
    data, strength = outcome.data, outcome.settings["strength"]
    if name == "adam":
        steps, damping = data["map_steps"], data["map_damping"]
        cycles = np.median(data["map"][name] / steps[:, None, None], 0)
        image = axes.pcolormesh(
            np.arange(len(damping) + 1), np.arange(len(damping) + 1), np.log10(np.maximum(cycles, 1e-3)).T
        )
        ticks = np.arange(len(damping)) + 0.5
        axes.set_xticks(ticks, [f"{value:.2g}" for value in damping], fontsize=6)
        axes.set_yticks(ticks, [f"{value:.2g}" for value in damping], fontsize=6)
        axes.set_title(say("log (radius at the end / h), median"), fontsize=9)
    else:
        line = np.linspace(0, 2, 25)
        lg, ld = np.meshgrid(line, line)
        steps = np.geomspace(0.02, 4, 40)[:, None, None]
        stable = theory.growth(name, steps, lg, ld, strength) < 1 - 1e-9
        until = np.cumprod(stable, 0).sum(0)
        highest = np.where(until > 0, steps[np.maximum(until - 1, 0), 0, 0], 0)
        image = axes.pcolormesh(lg, ld, highest, vmin=0, vmax=2, cmap="viridis")
        axes.set_title(say("largest converging h"), fontsize=9)
    axes.figure.colorbar(image, ax=axes, shrink=0.8)
    axes.set_xlabel("lg")
    if first:
        axes.set_ylabel("ld")


def _live_values(axes: Axes, data: dict[str, Any]) -> None:
    values, errors = data["ritz"], data["ritz_errors"]
    axes.axhline(0, color="0.8")
    axes.axvline(0, color="0.8")
    axes.errorbar(values.real, values.imag, yerr=errors, fmt="o", markersize=4, elinewidth=0.8)
    axes.set(xlabel=say("growth per step"), ylabel=say("radians per step"))
    axes.set_title(say("the live game: Ritz values of its linearised Adam step"))


def _logits(axes: Axes, data: dict[str, Any]) -> None:
    if "gap" not in data:
        axes.set_axis_off()
        return
    axes.plot(data["gap"], linewidth=0.8)
    axes.set(xlabel=say("entry of the journal"), ylabel=say("logit real - logit fake"))
    axes.set_title(
        say(
            "the live logits: noise has as strong a rhythm with probability {chance:.2f}",
            chance=data["chance"],
        )
    )
