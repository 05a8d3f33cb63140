"""Baselines for reading images: the loader of a tutorial, and the minimum that any reader has to do."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

BATCH = 16


class PlainFolder(Dataset[torch.Tensor]):
    """The files of a folder, each opened, decoded, converted, resized and cropped on every access."""

    def __init__(self, files: list[Path], size_px: int) -> None:
        self.files, self.size_px = files, size_px

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self.files[index]) as file:
            image = file.convert("RGB")
        scale = self.size_px / min(image.size)
        image = image.resize(
            (round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR
        )
        left, top = (image.width - self.size_px) // 2, (image.height - self.size_px) // 2
        image = image.crop((left, top, left + self.size_px, top + self.size_px))
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(127.5).sub(1)


class DraftFolder(Dataset[int]):
    """The same files, each read and decoded at an eighth of its size, without any use of the pixels.

    The Huffman code of a JPEG has to be read to the end to know that the file is complete, and an eighth is
    the smallest size at which libjpeg decodes. So no reader that uses Pillow and detects truncated files can
    be faster.
    """

    def __init__(self, files: list[Path]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> int:
        with Image.open(io.BytesIO(self.files[index].read_bytes())) as image:
            image.draft(None, (image.width // 8, image.height // 8))
            image.load()
        return index


def even_batches(files: list[Path], num_processes: int) -> tuple[list[Path], int]:
    """Select files so that all processes get equally many whole batches; return files and batch size.

    A loader hands out whole batches: with three batches for two processes, one process would be idle.
    """
    batch = max(1, min(BATCH, len(files) // num_processes))
    round_size = batch * num_processes
    return files[: max(len(files) // round_size, 1) * round_size], batch


class _Loader(DataLoader):
    """A loader without torch's warning about more processes than cores."""

    def check_worker_number_rationality(self) -> None:
        """Accept any number of processes."""


def loader(dataset: Dataset, batch: int, num_processes: int) -> DataLoader:
    """Build a loader for batches of a dataset in random order, with ``num_processes`` worker processes."""
    return _Loader(dataset, batch, shuffle=True, num_workers=num_processes)
