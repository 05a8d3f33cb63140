"""The linear probe: the same classifier as scikit-learn's, chance where labels mean nothing, and who wins."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import ganzfeld as gz
from ganzfeld.errors import DataError, UsageError
from ganzfeld.inside.probe import LinearProbe, fit_classifier, logistic
from ganzfeld.inside.success import wilson
from ganzfeld.progress import silent


def problem(num: int, num_features: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of three kinds, whose means differ in two components."""
    noise = torch.Generator().manual_seed(3)
    labels = torch.arange(num) % 3
    centres = torch.nn.functional.pad(torch.tensor([[0.0, 0], [1.5, 0], [0, 1.5]]), (0, num_features - 2))
    return torch.randn(num, num_features, generator=noise) + centres[labels], labels


@pytest.mark.parametrize("penalty", [1e-1, 1e-3])
def test_it_is_the_logistic_regression_of_scikit_learn(penalty: float):
    features, labels = problem(300)
    ours = logistic(features, labels, 3, penalty)
    theirs = LogisticRegression(C=1 / (300 * penalty), tol=1e-8, max_iter=5000).fit(features, labels)
    shifted = ours[:-1].T - ours[:-1].T.mean(0)
    np.testing.assert_allclose(shifted, theirs.coef_ - theirs.coef_.mean(0), atol=2e-3)
    probabilities = (features @ ours[:-1] + ours[-1]).softmax(1)
    np.testing.assert_allclose(probabilities, theirs.predict_proba(features), atol=2e-3)


def test_a_classifier_takes_features_of_any_scale_and_leaves_out_those_that_do_not_vary():
    features, labels = problem(600)
    scale = 10.0 ** torch.linspace(-4, 4, 12)
    odd = torch.cat((features * scale + 3, torch.full((600, 1), 7.0)), 1)
    classifier = fit_classifier(odd[:400].clone(), labels[:400].numpy(), 3, silent)
    plain = fit_classifier(features[:400].clone(), labels[:400].numpy(), 3, silent)
    ours, theirs = classifier.codes(odd[400:]), plain.codes(features[400:])
    assert (ours == theirs).mean() > 0.97 and (theirs == labels[400:].numpy()).mean() > 0.6
    assert classifier.weights.isfinite().all()


def test_shuffled_labels_give_chance():
    features, labels = problem(900)
    shuffled = labels[torch.randperm(900, generator=torch.Generator().manual_seed(1))].numpy()
    classifier = fit_classifier(features[:600].clone(), shuffled[:600], 3, silent)
    right = (classifier.codes(features[600:]) == shuffled[600:]).mean()
    assert wilson(right, 300).low < 1 / 3 < wilson(right, 300).high


def test_classes_are_read_and_tested_on_other_images(run: gz.Run, class_folders: Path):
    probe = gz.linear_probe(run, "classes", [class_folders / "by class"])
    assert (probe.attribute, probe.values) == ("class", ("blue", "red"))
    assert (probe.num_labels, probe.num_tested) == (48, 12)
    assert probe.pixels.value > 0.9 and probe.discriminator.value > 0.8
    assert "raw pixels" in probe.sentence and "random" in probe.sentence
    table = gz.linear_probe(run, class_folders / "labels.csv", [class_folders / "flat"], num_labels=20)
    assert (table.num_labels, table.num_tested) == (20, 40)


def share(value: float) -> LinearProbe:
    return LinearProbe(
        "class", ("a", "b"), 100, 100, 9, wilson(value, 100), wilson(0.5, 100), wilson(0.9, 100), 0.5, 0, 0
    )


def test_the_sentence_says_who_wins():
    probe = share(0.8)
    assert probe.over_pixels == 0 and probe.sentence.startswith("training did not help")
    changed = replace(probe, over_pixels=-1, over_random=1)
    assert changed.sentence.startswith("raw pixels win")
    both = replace(probe, over_pixels=1, over_random=1)
    assert both.sentence.startswith("it worked")
    level = replace(probe, over_random=1)
    assert level.sentence.startswith("it is no better than raw pixels")


def test_what_is_wrong_is_said(run: gz.Run, class_folders: Path, tmp_path: Path):
    flat = class_folders / "flat"
    with pytest.raises(DataError, match="no labels"):
        gz.linear_probe(run)
    with pytest.raises(UsageError, match="unknown labels") as caught:
        gz.linear_probe(run, "clases", [class_folders / "by class"])
    assert "Did you mean classes" in caught.value.hint
    with pytest.raises(UsageError, match="at least 20 labels"):
        gz.linear_probe(run, num_labels=3)
    with pytest.raises(UsageError, match="no file of labels"):
        gz.linear_probe(run, "nothing.csv", [flat])
    rows = (class_folders / "labels.csv").read_text().splitlines()
    for name, content, message in (
        ("same", [rows[0], *(row.replace("blue", "red") for row in rows[1:])], "same label"),
        ("few", rows[:11], "too few"),
    ):
        table = tmp_path / f"{name}.csv"
        table.write_text("\n".join(content))
        with pytest.raises(DataError, match=message):
            gz.linear_probe(run, table, [flat])
    with pytest.raises(UsageError, match="table of labels"):
        gz.linear_probe(run, class_folders / "labels.csv", sorted(flat.iterdir())[:2])
