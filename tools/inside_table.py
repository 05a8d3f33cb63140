"""Measure how well looking inside works, over several runs, and write the table into docs/inside.md.

    python tools/inside_table.py ROW [ROW ...] --seeds 0 1 2 [--runs FOLDER] [--minutes 3]

A ROW is walk, arithmetic, directions, inversion, completion, anomaly, anomaly-fashion or features; it fills
the block of that name. Runs are trained once and used again: on the built-in faces, into FOLDER/seed-N/; for
features on Fashion-MNIST, into FOLDER/fashion-N/; for anomaly-fashion on its class N modulo 10, into
FOLDER/class-N/. On a machine that other programs use, set OMP_NUM_THREADS=1: threads that wait for each other
take ten times as long.

A row is a function from a run to figures by name; to add one, write it, list it in ROWS, and put
``<!-- row -->`` and ``<!-- end of row -->`` into the page.
"""

import argparse
import gzip
import math
import re
import statistics
import sys
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from planted_defects import DEFECTS, planted

import ganzfeld as gz
from ganzfeld.data.decoding.preprocessing import framing
from ganzfeld.data.source import Entry
from ganzfeld.data.sources.faces import NUM_FACES, FacesSource
from ganzfeld.durable import write_bytes
from ganzfeld.inside.anomaly.ranking import auroc
from ganzfeld.inside.arithmetic import sum_of
from ganzfeld.inside.completing import training_set_of
from ganzfeld.inside.completion import complete
from ganzfeld.inside.latent_model import latent_model
from ganzfeld.inside.reading import read_images, reader_for
from ganzfeld.inversion import METHODS
from ganzfeld.options import PreparationOptions
from ganzfeld.progress import counting, tell

PAGE = Path(__file__).parents[1] / "docs" / "inside.md"
STUDENT_975 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""The 97.5 % quantile of Student's distribution, by the number of runs."""

WALKS = ([3, 17, 42], [0, 1], [100, 200, 300, 400], [7, 8, 9], [11, 23])
PAIRS = tuple(combinations(("skin", "hair-colour", "clothes"), 2))
"""Pairs of attributes with five equally frequent values each: by chance both are right in 4 %."""
NUM_SUMS = 200
"""Sums of each size for each pair."""
NUM_READ = 6_000
FASHION = Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")
"""From the Debian package dataset-fashion-mnist."""
ON_FASHION = {"features"}
"""Rows that are measured on Fashion-MNIST, since it has classes."""
ON_CLASS = {"anomaly-fashion"}
"""Rows that are measured on runs on one class of Fashion-MNIST."""
FIRST_SEED = 10**6
NUM_NORMAL, NUM_TESTED = 300, 100
"""Normal faces, and faces that are tested without and with each defect."""
NUM_FASHION = {"trained": 5_000, "normal": 1_000, "tested": 300, "of each other class": 50}

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


def faces_not_trained_on(num: int, size: tuple[int, int]) -> np.ndarray:
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
    normal = images[labels == chosen][NUM_FASHION["trained"] :][: NUM_FASHION["normal"]]
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


def fashion(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images (N, 28, 28, 1) and labels (N,) of a part of Fashion-MNIST, ``train`` or ``t10k``."""
    pixels = gzip.decompress((FASHION.parent / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((FASHION.parent / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    images = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 28, 28, 1)
    return images, np.frombuffer(labels, np.uint8, offset=8)


def one_class(folder: Path, seed: int) -> str:
    """Write the training images of the class with the number of a seed, and return the path."""
    images, labels = fashion("train")
    path = folder / f"class-{seed % 10}.npy"
    folder.mkdir(parents=True, exist_ok=True)
    np.save(path, images[labels == seed % 10][: NUM_FASHION["trained"], ..., 0])
    return str(path)


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


def trained(folder: Path, seed: int, minutes: float, row: str) -> gz.Run:
    """Return the run of a seed for a row, trained now unless it was before."""
    kind = "fashion" if row in ON_FASHION else "class" if row in ON_CLASS else "seed"
    place = folder / f"{kind}-{seed}"
    finished = sorted(place.glob("*/report.html"))
    if finished:
        return gz.open_run(finished[0].parent)
    if row in ON_FASHION:
        return gz.train(FASHION, size=32, minutes=minutes, seed=seed, out=place)
    if row in ON_CLASS:
        return gz.train(one_class(folder, seed), size=28, minutes=minutes, seed=seed, out=place)
    return gz.train(minutes=minutes, seed=seed, out=place)


def table(rows: list[Figures]) -> str:
    """Return a Markdown table of the figures of several runs: mean, 95 % interval and the runs themselves."""
    lines = ["| | mean | 95 % interval over runs | each run |", "|---|---|---|---|"]
    for name in rows[0]:
        values = [figures[name] for figures in rows]
        mean, interval = statistics.fmean(values), "-"
        if len(values) in STUDENT_975:
            half = STUDENT_975[len(values)] * statistics.stdev(values) / math.sqrt(len(values))
            interval = f"{mean - half:.2f} to {mean + half:.2f}"
        lines.append(
            f"| {name} | {mean:.2f} | {interval} | {', '.join(f'{value:.2f}' for value in values)} |"
        )
    return "\n".join(lines)


def filled(page: str, row: str, text: str) -> str:
    """Return a page with the block of a row replaced. Raises ``ValueError`` if there is no such block."""
    block = re.compile(rf"(<!-- {row} -->\n).*?(<!-- end of {row} -->)", re.DOTALL)
    if not block.search(page):
        raise ValueError(f"docs/inside.md has no block {row}")
    return block.sub(lambda match: f"{match[1]}{text}\n{match[2]}", page)


def main() -> None:
    """Train, measure and write."""
    parser = argparse.ArgumentParser(description="Figures of docs/inside.md.")
    parser.add_argument("rows", nargs="+", choices=list(ROWS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=Path("runs/inside"))
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--show", action="store_true", help="print the tables instead of writing the page")
    options = parser.parse_args()
    for row in options.rows:
        runs = [trained(options.runs, seed, options.minutes, row) for seed in options.seeds]
        measured = []
        for seed, run in zip(options.seeds, runs, strict=True):
            tell(f"{row}, seed {seed}")
            measured.append(ROWS[row](run))
        seen = ", ".join(f"{run.model.card.images_seen:,}" for run in runs)
        command = f"python tools/inside_table.py {row} --seeds {' '.join(map(str, options.seeds))}"
        data = "Fashion-MNIST at 32 px" if row in ON_FASHION else "the built-in faces"
        data = "one class of Fashion-MNIST each" if row in ON_CLASS else data
        where = f"{len(runs)} runs of {options.minutes:g} minutes on {data}"
        note = f"{where} ({seen} images): `{command}`"
        text = f"{table(measured)}\n\n{note}"
        if options.show:
            sys.stdout.write(f"{text}\n\n")
        else:
            page = filled(PAGE.read_text(encoding="utf-8"), row, f"\n{text}\n")
            write_bytes(PAGE, page.encode())


if __name__ == "__main__":
    main()
