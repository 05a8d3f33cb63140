"""The drawing of ``convergence``."""

import numpy as np
from matplotlib.figure import Figure

from ganzfeld.lab.experiments.convergence import theory
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Outcome

COLOURS = {"none": "#7f7f7f", "r1": "#1f77b4", "r2": "#2ca02c", "wgan-gp": "#d62728"}

LOSSES = {
    "hinge": say("hinge"),
    "least-squares": say("least squares"),
    "minimax": say("minimax game"),
    "non-saturating": say("non-saturating game"),
    "relativistic-pairing": say("relativistic pairing"),
    "wasserstein": "Wasserstein",
}
PENALTIES = {"none": say("no penalty"), "r1": "R1", "r2": "R2", "wgan-gp": "WGAN-GP"}


def draw(outcome: Outcome) -> Figure:
    """Draw phase portraits of four games, the distance by round, and the factor of a round by step size."""
    figure = Figure(figsize=(15, 8.5), layout="constrained")
    paths, settings = outcome.data["paths"], outcome.settings
    panels = figure.subplots(2, 4)
    chosen = (
        ("non-saturating", "none"),
        ("non-saturating", "r1"),
        ("least-squares", "none"),
        ("wasserstein", "wgan-gp"),
    )
    for axes, (loss, penalty) in zip(panels[0], chosen, strict=True):
        path = paths[f"{loss}, {penalty}"]
        inside = np.abs(path).max(1) < 10
        axes.plot(*path[inside].T, ".-", color=COLOURS[penalty], linewidth=0.7, markersize=2)
        axes.plot(*path[0], "k*", markersize=11)
        axes.set_aspect("equal")
        axes.set(xlabel=str(say("θ (generator)")), ylabel=str(say("ψ (discriminator)")))
        title = say(
            "{loss}, {penalty}, h = {step:g}",
            loss=LOSSES[loss],
            penalty=PENALTIES[penalty],
            step=settings["step"],
        )
        axes.set_title(str(title), fontsize=10)
    below = panels[1]
    for name, path in paths.items():
        loss, _, penalty = name.partition(", ")
        distance = np.maximum(np.linalg.norm(path, axis=1), 1e-12)
        axes = below[0] if penalty == "none" else below[1]
        label = say("{loss}, {penalty}", loss=LOSSES[loss], penalty=PENALTIES[penalty])
        axes.semilogy(distance, label=str(LOSSES[loss] if penalty == "none" else label), linewidth=1)
    below[0].set(
        title=str(say("without a penalty")), xlabel=str(say("round")), ylabel=str(say("distance from rest"))
    )
    below[1].set(title=str(say("with a penalty")), xlabel=str(say("round")))
    for axes in below[:2]:
        axes.legend(fontsize=7)
    steps, slopes = np.linspace(0.02, 2.2, 60), theory.SLOPES["wasserstein"]
    for method in ("simultaneous", "alternating", "extragradient", "optimistic"):
        below[2].plot(
            steps,
            [theory.growth(theory.transition(method, slopes, step)) for step in steps],
            label=str(say(method)),
        )
    below[2].set(
        title=str(say("Wasserstein, no penalty")),
        xlabel=str(say("step h")),
        ylabel=str(say("factor of a round")),
        ylim=(0.7, 1.8),
    )
    for momentum in (-0.5, -0.25, 0.0, 0.25, 0.5):
        factors = [
            theory.growth(theory.transition("alternating", slopes, step, momentum=momentum)) for step in steps
        ]
        below[3].plot(steps, factors, label=str(say("momentum {momentum:+g}", momentum=momentum)))
    below[3].set(title=str(say("Wasserstein, alternating")), xlabel=str(say("step h")), ylim=(0.7, 1.8))
    for axes in below[2:]:
        axes.axhline(1, color="0.6", linewidth=0.8)
        axes.legend(fontsize=7)
    return figure
