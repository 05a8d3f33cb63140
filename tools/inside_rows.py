"""The rows of ``inside_table.py``: figures of one run that say how well looking inside it works.

A row is a function from a run to figures by name. To add one, write it, list it in ``ROWS``, and put
``<!-- row -->`` and ``<!-- end of row -->`` into docs/inside.md.
"""

import math
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from inside_runs import NUM_TRAINED, fashion
from planted_defects import DEFECTS, planted

import ganzfeld as gz
from ganzfeld.data.decoding.preprocessing import framing
from ganzfeld.data.source import Entry
from ganzfeld.data.sources.faces import NUM_FACES, FacesSource
from ganzfeld.inside.anomaly.ranking import auroc
from ganzfeld.inside.arithmetic import sum_of
from ganzfeld.inside.completing import training_set_of
from ganzfeld.inside.completion import complete
from ganzfeld.inside.latent_model import latent_model
from ganzfeld.inside.reading import read_images, reader_for
from ganzfeld.inversion import METHODS
from ganzfeld.options import PreparationOptions
from ganzfeld.progress import counting

WALKS = ([3, 17, 42], [0, 1], [100, 200, 300, 400], [7, 8, 9], [11, 23])
PAIRS = tuple(combinations(("skin", "hair-colour", "clothes"), 2))
"""Pairs of attributes with five equally frequent values each: by chance both are right in 4 %."""
NUM_SUMS = 200
"""Sums of each size for each pair."""
NUM_READ = 6_000
FASHION = Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")
"""From the Debian package dataset-fashion-mnist."""
FIRST_SEED = 10**6
NUM_NORMAL, NUM_TESTED = 300, 100
"""Normal faces, and faces that are tested without and with each defect."""
NUM_FASHION = {"normal": 1_000, "tested": 300, "of each other class": 50}

Figures = dict[str, float]


def walk(run: gz.Run) -> Figures:
    """Return the largest step over the smallest of several walks of 60 images, the worst of them."""
    walks = [gz.latent_walk(run, seeds, frames=60) for seeds in WALKS]
    return {
        "largest step over smallest, worst of five walks": max(entry.evenness or math.inf for entry in walks),
        "the same before re-spacing": max(entry.evenness_before or math.inf for entry in walks),
    }


def arithmetic(run: gz.Run) -> Figures:
    """Return how often a - b + c has both attributes that are expected, for means of 1, 3 and 10 latents."""
    model, progress = latent_model(run), counting(True)
    reader = reader_for(run, None, None, progress)
    assert reader is not None, "the built-in faces have attributes"
    latents = model.latents(range(FIRST_SEED, FIRST_SEED + NUM_READ))
    codes = read_images(model, reader, latents, None, progress)
    random, figures = np.random.default_rng(0), {}
    chances = []
    for size in (1, 3, 10):
        right = []
        for pair in PAIRS:
            columns = [reader.table.names.index(name) for name in pair]
            sums = [_draw_sum(codes[:, columns], size, random) for _ in range(NUM_SUMS)]
            totals = [
                sum_of(
                    model, [(sign, latents[group]) for sign, group in zip((1, -1, 1), groups, strict=True)]
                )
                for groups, _ in sums
            ]
            expected = np.array([wanted for _, wanted in sums])
            read = reader.codes(model.values(torch.stack(totals)))[:, columns]
            right.append((read == expected).all(1).mean())
            chances.append(np.mean([(codes[:, columns] == wanted).all(1).mean() for wanted in expected]))
        figures[f"both attributes right, means of {size}"] = float(np.mean(right))
    return figures | {"both right in a random image": float(np.mean(chances))}


def _draw_sum(
    codes: np.ndarray, size: int, random: np.random.Generator
) -> tuple[list[np.ndarray], tuple[int, int]]:
    """Draw groups for a - b + c whose attributes (n, 2) say that the sum has the first of a, the second of c.

    Returns the indices of the three groups, and the expected values.
    """
    while True:
        first, other_first = random.choice(int(codes[:, 0].max()) + 1, 2, replace=False)
        second, other_second = random.choice(int(codes[:, 1].max()) + 1, 2, replace=False)
        values = ((first, other_second), (other_first, other_second), (other_first, second))
        groups = [np.flatnonzero((codes == np.array(pair)).all(1)) for pair in values]
        if all(len(group) >= size for group in groups):
            chosen = [random.choice(group, size, replace=False) for group in groups]
            return chosen, (int(first), int(second))


def directions(run: gz.Run) -> Figures:
    """Return how often steps of 6 along directions of attributes succeed, and what else they change."""
    known = gz.latent_directions(run, "attributes")
    change = gz.latent_directions(run, "change", num=5)
    assert known.success is not None and known.collateral is not None
    return {
        "success at a step of 6": known.success.value,
        "success of random directions": known.random_success or 0.0,
        "other attributes changed": known.collateral.value,
        "changed by random directions": known.random_collateral or 0.0,
        "share of the change in five directions": sum(entry.share or 0 for entry in change.directions),
        "change along the first over that along a random one": change.directions[0].strength or 0.0,
    }


def faces_not_trained_on(num: int, size: tuple[int, ...]) -> np.ndarray:
    """Draw faces that are in no training set, uint8 (num, height, width, 3)."""
    source, settings = FacesSource(Path("faces")), framing(size, PreparationOptions())
    entries = [Entry(f"face {seed}", 0, 0, locator=seed) for seed in range(NUM_FACES, NUM_FACES + num)]
    return np.stack([source.decode(source.read(entry), settings).pixels for entry in entries])


def inversion(run: gz.Run) -> Figures:
    """Return how near 16 generated images and 16 faces that were not trained on are reproduced."""
    figures = {}
    subjects = {"generated": run.sample(16), "held out": faces_not_trained_on(16, run.recipe.size)}
    run.invert(subjects["generated"][:1])  # fits the encoder, whose time does not count
    for method in METHODS:
        for name, images in subjects.items():
            begun = time.process_time()
            decibels = run.invert(images, method=method).psnr_db
            figures[f"{method}, {name}: mean, dB"] = float(decibels.mean())
            figures[f"{method}, {name}: worst, dB"] = float(decibels.min())
            figures[f"{method}, {name}: processor time of 16 images, s"] = time.process_time() - begun
    return figures


def completion(run: gz.Run) -> Figures:
    """Return how near the centre of 16 faces is completed, and by their nearest training images."""
    height, width = (side * 3 // 8 for side in run.recipe.size[::-1])
    hole = np.zeros(run.recipe.size[::-1], bool)
    top, left = (hole.shape[0] - height) // 2, (hole.shape[1] - width) // 2
    hole[top : top + height, left : left + width] = True
    training_set, _ = training_set_of(run.path, counting(True))
    done = [
        complete(run.model, image, hole, discriminator=run.discriminator, training_set=training_set, num=1)
        for image in faces_not_trained_on(16, run.recipe.size)
    ]
    ours, nearest = (
        np.array([float(entry.hole_db[0]) for entry in done if entry.hole_db is not None]),
        np.array([entry.nearest_db for entry in done if entry.nearest_db is not None]),
    )
    return {
        "completed, dB over the hole": float(ours.mean()),
        "nearest training image, blended, dB": float(nearest.mean()),
        "gain over the nearest training image, dB": float((ours - nearest).mean()),
        "share of images where the completion is nearer": float((ours > nearest).mean()),
    }


def features(run: gz.Run) -> Figures:
    """Return how often a linear classifier is right about classes, by features and by raw pixels."""
    probe = gz.linear_probe(run, num_labels=10_000, progress=True)
    ours, random, pixels = probe.discriminator.value, probe.random.value, probe.pixels.value
    return {
        "right answers, features of the discriminator": ours,
        "right answers, features of a random discriminator": random,
        "right answers, raw pixels": pixels,
        "gain over random features": ours - random,
        "gain over raw pixels": ours - pixels,
    }


def anomaly(run: gz.Run) -> Figures:
    """Return how well planted defects are told from faces without one, by the generator and by PCA."""
    faces = faces_not_trained_on(NUM_NORMAL + 2 * NUM_TESTED, run.recipe.size)
    normal, clean, base = np.split(faces, [NUM_NORMAL, NUM_NORMAL + NUM_TESTED])
    broken = {name: planted(base, name) for name in DEFECTS}
    images = np.concatenate([clean, *(pair[0] for pair in broken.values())])
    done = gz.anomalies(run, images, normal, compare=True)
    pca = next(entry for entry in done.baselines if entry.name == "pca")
    figures = {"false alarms at a rate of 0.05": float(done.is_flagged[:NUM_TESTED].mean())}
    is_broken = np.arange(2 * NUM_TESTED) >= NUM_TESTED
    for number, (name, (_, where)) in enumerate(broken.items(), 1):
        part = slice(number * NUM_TESTED, (number + 1) * NUM_TESTED)
        for title, entry in (("", done), (", PCA", pca)):
            scores = np.concatenate([entry.scores[:NUM_TESTED], entry.scores[part]])
            figures[f"{name}: AUROC of images{title}"] = auroc(scores, is_broken)
        figures[f"{name}: AUROC of pixels"] = auroc(done.maps[part].ravel(), where.ravel())
    return figures


def anomaly_fashion(run: gz.Run) -> Figures:
    """Return how well the other classes are told from the one that a run was trained on, and by baselines."""
    chosen = int(run.path.parent.name.rpartition("-")[2]) % 10
    images, labels = fashion("train")
    normal = images[labels == chosen][NUM_TRAINED:][: NUM_FASHION["normal"]]
    images, labels = fashion("t10k")
    nums = [NUM_FASHION["tested" if label == chosen else "of each other class"] for label in range(10)]
    rows = np.concatenate([np.flatnonzero(labels == label)[:num] for label, num in enumerate(nums)])
    done = gz.anomalies(run, images[rows], normal, compare=True, truth=labels[rows] != chosen)
    assert done.ranking is not None
    figures = {
        "AUROC": done.ranking.auroc,
        "false alarms at a rate of 0.05": float(done.is_flagged[labels[rows] == chosen].mean()),
        "others that are flagged": float(done.is_flagged[labels[rows] != chosen].mean()),
    }
    for entry in done.baselines:
        ranked = done.ranking_of(entry.scores)
        assert ranked is not None
        figures[f"AUROC, {entry.name}"] = ranked.auroc
    return figures


ROWS: dict[str, Callable[[gz.Run], Figures]] = {
    "walk": walk,
    "arithmetic": arithmetic,
    "directions": directions,
    "inversion": inversion,
    "completion": completion,
    "anomaly": anomaly,
    "anomaly-fashion": anomaly_fashion,
    "features": features,
}

AIMS: dict[str, tuple[str, float]] = {
    "largest step over smallest, worst of five walks": ("at most", 1.5),
    "both attributes right, means of 10": ("at least", 0.25),
    "success at a step of 6": ("at least", 0.40),
    "other attributes changed": ("at most", 0.26),
    "fast, generated: mean, dB": ("at least", 34),
    "fast, generated: worst, dB": ("at least", 30),
    "fast, generated: processor time of 16 images, s": ("at most", 10),
    "fast, held out: mean, dB": ("at least", 25),
    "best, generated: mean, dB": ("at least", 39),
    "best, generated: worst, dB": ("at least", 31),
    "best, held out: mean, dB": ("at least", 26),
    "best, held out: processor time of 16 images, s": ("at most", 60),
    "gain over the nearest training image, dB": ("at least", 0),
    **{f"{name}: AUROC of images": ("at least", 0.90) for name in DEFECTS},
    **{f"{name}: AUROC of pixels": ("at least", 0.84) for name in DEFECTS},
    "gain over random features": ("at least", 0.012),
    "gain over raw pixels": ("at least", 0.03),
}
"""What was aimed at, by figure."""
