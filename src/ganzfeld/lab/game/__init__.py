"""A small engine for toy games, played by the step of the real trainer.

    replicas -> game -> rounds

A toy has two tiny networks as generator and discriminator. Losses and stabilisers come from the catalogues,
an update is ``ganzfeld.training.step.step``, and a method of play is an optimizer together with an order of
updates. Several games are played side by side, one per replica, in the batch of one step.
"""

from ganzfeld.lab.game.dirac import Replica, dirac
from ganzfeld.lab.game.methods import METHODS
from ganzfeld.lab.game.mixtures import Coverage, Mixture, coverage, grid, ring
from ganzfeld.lab.game.play import Game, gradients_of
from ganzfeld.lab.game.points import PointNetworks, PointTraining, game_of_points

__all__ = [
    "METHODS",
    "Coverage",
    "Game",
    "Mixture",
    "PointNetworks",
    "PointTraining",
    "Replica",
    "coverage",
    "dirac",
    "game_of_points",
    "gradients_of",
    "grid",
    "ring",
]
