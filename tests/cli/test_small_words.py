"""Mistakes whose words once said too much, or the wrong thing."""

import json

import pytest
import torch

from ganzfeld.errors import UsageError
from ganzfeld.recipes import read_recipe, resolve
from tests.cli.test_cli import call


@pytest.mark.parametrize("words", [["train", "--images", "9" * 5_000], ["n" * 300], ["plan", "9" * 5_000]])
def test_long_words_are_shortened(words):
    code, _, said = call(*words)
    assert code == 2 and "..." in said and len(said) < 400


def test_a_size_that_is_too_large_is_told_as_that():
    code, _, said = call("plan", 10**12)
    assert code == 2 and "1000000000000 is too large a size" in said and "9 digits" in said


def test_true_is_no_number_in_a_recipe(tmp_path):
    file = tmp_path / "r.json"
    for field in ({"batch": True}, {"latent": {"size": True}}, {"generator": {"slope": False}}):
        file.write_text(json.dumps({"base": "modern"} | field))
        with pytest.raises(UsageError, match="must be a number, not"):
            read_recipe(file)
    assert resolve(settings={"mirror": True}).mirror


def test_sparse_latents_are_refused():
    from ganzfeld.networks.arguments import require_latents

    with pytest.raises(UsageError, match="dense"):
        require_latents(torch.zeros(2, 4).to_sparse(), 4, torch.zeros(1))
