"""Files of samples in the type and the units of their data: NumPy arrays, TIFF stacks, FASTA."""

import io
from collections.abc import Callable, Sequence

import numpy as np

from ganzfeld.errors import ResourceError, UsageError
from ganzfeld.model.card import Card

ENDINGS = (".npy", ".tif", ".tiff", ".fa", ".fasta")
"""The endings of files that hold all samples."""

_LETTERS_PER_LINE = 60


def content_of_samples(ending: str, samples: np.ndarray, seeds: Sequence[int], card: Card) -> bytes:
    """Return the content of a file with that ending that holds samples (N, *size, channels), one per seed.

    Raises ``UsageError`` for an ending that does not fit the kind of the data, and ``ResourceError`` if a
    package that writes it is not installed.
    """
    return _writer(ending, card)(samples, seeds, card)


def require_ending(ending: str, card: Card) -> None:
    """Raise ``UsageError`` unless samples of a model can be written to files with that ending."""
    _writer(ending, card)


def _writer(ending: str, card: Card) -> Callable[[np.ndarray, Sequence[int], Card], bytes]:
    writers = {".npy": _npy} | (
        {".fa": _fasta, ".fasta": _fasta} if card.kind == "sequence" else {".tif": _tiff, ".tiff": _tiff}
    )
    if ending not in writers:
        raise UsageError(
            f"samples of the kind {card.kind} are not written to {ending or 'a folder'}",
            f"Name a file that ends in {', '.join(writers)}, or in .png for a grid to look at.",
        )
    return writers[ending]


def _npy(samples: np.ndarray, seeds: Sequence[int], card: Card) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(samples))
    return buffer.getvalue()


def _tiff(samples: np.ndarray, seeds: Sequence[int], card: Card) -> bytes:
    """Write pages (N, channels, H, W)."""
    try:
        import tifffile
    except ImportError:
        raise ResourceError(
            "writing a TIFF needs the package tifffile, which is not installed",
            'Install it: pip install "ganzfeld[tiff]", or name a file that ends in .npy.',
        ) from None
    buffer = io.BytesIO()
    pages = np.ascontiguousarray(np.moveaxis(samples, -1, 1))
    tifffile.imwrite(buffer, pages, photometric="minisblack", metadata={"axes": "QCYX"})
    return buffer.getvalue()


def _fasta(samples: np.ndarray, seeds: Sequence[int], card: Card) -> bytes:
    """Write one record per sample, named by its seed."""
    letters = np.frombuffer(str(card.scale["letters"]).encode("ascii"), "S1")
    records = []
    for seed, numbers in zip(seeds, samples[..., 0], strict=True):
        text = b"".join(letters[numbers].tolist())
        lines = [text[at : at + _LETTERS_PER_LINE] for at in range(0, len(text), _LETTERS_PER_LINE)]
        records.append(b"\n".join([f">seed_{seed:06d}".encode(), *lines, b""]))
    return b"".join(records)
