"""Look inside: what a trained generator does with its latent space.

Latents are judged by the images they give. A latent vector itself cannot be read back from an image, since
the generator ignores many directions of its latent space.

    latent_model   what all of these start from: a generator, its prior, its run; files of latents
    attributes     what is known of training images, and a reader that tells it of others; reading, success
    walk, arithmetic, directions   one file per question, each with a function, a result and its sentence
    films          animated files
    inverting, completing   images that users name, and the files written; user_images reads the images
    completion, poisson     holes of images
    features, probe, guided   what the discriminator has learned; image_sets reads images for these
    dropping       maps of the generator that answer for an attribute
    page/     inside.html, which gathers what the commands made with a run
    anomaly/       images unlike normal ones
"""

from ganzfeld.inside.anomaly import Anomalies, anomalies
from ganzfeld.inside.arithmetic import LatentSum, latent_add
from ganzfeld.inside.directions import Directions, latent_directions
from ganzfeld.inside.dropping import DroppedMaps, drop_maps
from ganzfeld.inside.features import Features, features
from ganzfeld.inside.guided import Filters, StrongestImages, first_filters, strongest_images
from ganzfeld.inside.latent_model import LatentModel, latent_model, read_latents
from ganzfeld.inside.numbered_maps import DroppedNumbers, drop_numbers
from ganzfeld.inside.probe import LinearProbe, linear_probe
from ganzfeld.inside.walk import Walk, latent_walk

__all__ = [
    "Anomalies",
    "Directions",
    "DroppedMaps",
    "DroppedNumbers",
    "Features",
    "Filters",
    "LatentModel",
    "LatentSum",
    "LinearProbe",
    "StrongestImages",
    "Walk",
    "anomalies",
    "drop_maps",
    "drop_numbers",
    "features",
    "first_filters",
    "latent_add",
    "latent_directions",
    "latent_model",
    "latent_walk",
    "linear_probe",
    "read_latents",
    "strongest_images",
]
