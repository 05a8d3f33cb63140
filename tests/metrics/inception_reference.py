"""Write golden/inception.npz: features of some images by torch-fidelity, with random weights.

    pip download --no-deps torch-fidelity==0.4.0 && unzip torch_fidelity-*.whl -d FOLDER
    python -m tests.metrics.inception_reference FOLDER

torch-fidelity is not installed for the tests, since it requires torchvision, which its network does not use.
"""

import importlib
import sys
import types
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

GOLDEN = Path(__file__).parent / "golden" / "inception.npz"
SIZES = ((28, 28, 1), (64, 48, 3), (320, 299, 3))
"""Of the images: smaller than the network's, of two lengths, and larger."""


def weights_of(names: list[str], shapes: list[list[int]]) -> dict[str, Tensor]:
    """Draw weights from raw integers of PCG64 so that differences of images pass through all layers."""
    source, weights = np.random.PCG64(0), {}
    for name, shape in zip(names, shapes, strict=True):
        number = int(np.prod(shape))
        uniform = (np.asarray(source.random_raw(number)) / 2**64).reshape(shape)
        if name.endswith("conv.weight"):
            drawn = (2 * uniform - 1) * np.sqrt(6 / np.prod(shape[1:]))
        elif name.endswith(("bn.weight", "running_var")):
            drawn = 0.5 + uniform
        else:
            drawn = 0.2 * (uniform - 0.5)
        weights[name] = torch.tensor(drawn.astype(np.float32))
    return weights


def drawn_weights() -> dict[str, Tensor]:
    """Draw weights for all layers of the network, with the names of the file."""
    with np.load(GOLDEN) as golden:
        rows = [row.split() for row in golden["layers"].tolist()]
    return weights_of([name for name, *_ in rows], [list(map(int, shape)) for _, *shape in rows])


def dataset() -> list[np.ndarray]:
    """Return two images of each size, uint8 (2, height, width, C)."""
    from tests.conftest import blobs

    squares = [blobs(2, max(size[:2]), size[2], seed=number) for number, size in enumerate(SIZES)]
    return [square[:, : size[0], : size[1]] for square, size in zip(squares, SIZES, strict=True)]


def main() -> None:
    """Write the file."""
    package = types.ModuleType("torch_fidelity")
    package.__path__ = [str(Path(sys.argv[1]) / "torch_fidelity")]  # without what its __init__ imports
    sys.modules["torch_fidelity"] = package
    module = importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
    vars(module)["load_state_dict_from_url"] = lambda *_, **__: {}  # it would fetch them
    kind = module.FeatureExtractorInceptionV3
    kind.load_state_dict = lambda self, weights: None
    network = kind("reference", ["2048"])
    del kind.load_state_dict
    state = {name: each for name, each in network.state_dict().items() if not name.endswith("tracked")}
    names, shapes = list(state), [list(each.shape) for each in state.values()]
    network.load_state_dict(weights_of(names, shapes), strict=False)
    found = {}
    for number, batch in enumerate(dataset()):
        given = torch.from_numpy(batch).movedim(-1, 1).expand(-1, 3, -1, -1)
        found[f"features_{number}"] = network(given)[0].numpy()
    text = [f"{name} {' '.join(map(str, shape))}" for name, shape in zip(names, shapes, strict=True)]
    np.savez_compressed(GOLDEN, layers=np.array(text), **found)


if __name__ == "__main__":
    main()
