"""Every loss of the catalogue at the rest point of the Dirac game, on the bench of ``spiral``."""

import numpy as np
import torch

from ganzfeld.lab.experiments.spiral import theory
from ganzfeld.lab.game import Replica, dirac
from ganzfeld.lab.game.dirac import Variant
from ganzfeld.lab.game.play import gradients_of, weights_of
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Measured, claim, shown
from ganzfeld.losses import Loss, losses
from ganzfeld.stabilisers import Stabiliser, stabiliser

DAMPING = 0.4
"""Weight of R1 where the Jacobian is compared with its formula."""


def at_rest() -> tuple[list[Measured], dict[str, list[float]]]:
    """Measure the Jacobian at rest of a game with each loss of the catalogue, by autograd.

    D has a bias, since the logit of its rest is that of its loss: 0 for most, and 1/2 for least squares.
    """
    r1 = stabiliser({"name": "r1", "weight": DAMPING})
    jacobian = jacobian_at_rest(_loss("wasserstein"), [r1])
    error = float(np.abs(jacobian[:2, :2] - theory.jacobian(0.0, DAMPING)).max())
    rests = {name: np.linalg.eigvals(jacobian_at_rest(_loss(name))) for name in losses.names()}
    speeds = {name: float(np.imag(values).max()) for name, values in rests.items()}
    return [
        claim(
            "rest-jacobian",
            say("Jacobian of the game (Wasserstein, R1), largest error of the formula"),
            error,
            0.0,
            of="eigenvalues",
            tolerance=1e-12,
        ),
        claim(
            "rest-turns",
            say("slowest rotation at rest with any loss of the catalogue, radians per unit of time"),
            min(speeds.values()),
            0.0,
            relation=">",
            of="eigenvalues",
        ),
        *(
            shown(
                f"rest-speed-{name}",
                say("rotation at rest with {name}, radians per unit of time", name=name),
                speed,
            )
            for name, speed in speeds.items()
        ),
    ], {name: [float(value) for value in np.imag(values)] for name, values in rests.items()}


def _loss(name: str) -> Loss:
    """Build a loss; at temperature 1/2 a logistic one has slope 1 at the logit 0."""
    return Loss(name) if losses.load(name).NO_TEMPERATURE else Loss(name, temperature=0.5)


def rest_logit(loss: Loss) -> float:
    """Return the logit at which D rests if real and generated images are alike, by bisection from -4 to 4;
    0 if every logit is a rest.
    """

    def pull(logit: float) -> float:
        at = torch.tensor([logit], dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(loss.discriminator(at, at), at)
        return float(slope)

    if pull(0.0) == 0:
        return 0.0
    lower, upper = -4.0, 4.0
    for _ in range(60):
        middle = (lower + upper) / 2
        lower, upper = (lower, middle) if pull(middle) > 0 else (middle, upper)
    return (lower + upper) / 2


def jacobian_at_rest(loss: Loss, stabilisers: list[Stabiliser] | None = None) -> np.ndarray:
    """Return the Jacobian of the flow at the rest point by autograd, by x, y and the bias of D, (3, 3)."""
    game = dirac(
        "simultaneous",
        [Replica(1.0)],
        loss=loss,
        stabilisers=stabilisers or [],
        start=(0.0, 0.0),
        variant=Variant(bias=rest_logit(loss)),
        learns_bias=True,
    )
    real, latents = game.draw(torch.Generator())
    weights = weights_of(game.gan)
    return np.array(
        [
            [0.0] * len(weights)
            if not part.requires_grad
            else [
                -float(value)
                for value in torch.autograd.grad(
                    part.sum(), weights, retain_graph=True, materialize_grads=True
                )
            ]
            for part in gradients_of(game.gan, game.config, real, latents, game.context())
        ]
    )
