"""A loaded generator through both of torch's exporters to ONNX, run by the reference of ONNX itself."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from onnx.reference import ReferenceEvaluator

import ganzfeld as gz
from ganzfeld.networks import Generator
from tests.model.test_ordinary_module import ROUNDING, written


def exported(generator: Generator, *, dynamo: bool, path: Path) -> ReferenceEvaluator:
    """The generator as ONNX, recorded with a batch of two that is left free."""
    latents = (torch.randn(2, generator.latent_size),)
    free: dict[str, Any] = (
        {"dynamic_shapes": ({0: torch.export.Dim("batch")},)}
        if dynamo
        else {"dynamic_axes": {"latent": {0: "b"}}}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter is deprecated, and both speak of themselves
        torch.onnx.export(
            generator,
            latents,
            path,
            input_names=["latent"],
            dynamo=dynamo,
            verbose=False,
            external_data=False,
            **free,
        )
    return ReferenceEvaluator(str(path))


@pytest.mark.parametrize("dynamo", [True, False])
@pytest.mark.parametrize("kind", [{}, {"normalisation": "spectral", "output": "linear"}, {"size": (9, 15)}])
def test_what_is_exported_makes_the_same_images(kind, dynamo, tmp_path):
    generator = gz.load(written(tmp_path / "model", **kind))
    session = exported(generator, dynamo=dynamo, path=tmp_path / "model.onnx")
    latents = torch.randn(5, generator.latent_size)
    made: Any = session.run(None, {"latent": latents.numpy()})
    with torch.no_grad():
        expected = generator(latents)
    assert made[0].shape == tuple(expected.shape)
    assert (torch.from_numpy(made[0]) - expected).abs().max() < ROUNDING
