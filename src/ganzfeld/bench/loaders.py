"""What our reader is measured against: the loader of a tutorial, and the least that any reader has to do."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

BATCH = 16


class PlainFolder(Dataset[torch.Tensor]):
    """The files of a folder, each opened, decoded, converted, resized and cropped when it is asked for."""

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
    """The same files, each read and decoded at an eighth of its size, and nothing done with the pixels.

    A JPEG's Huffman code has to be read to the end before an image can be called whole, and an eighth is the
    least that libjpeg makes of it: a reader over Pillow that finds truncated files cannot be faster.
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


def dealt(files: list[Path], num_processes: int) -> tuple[list[Path], int]:
    """As many of the first files as give every process the same number of whole batches, and their size.

    A loader deals out whole batches: with three for two processes, one of them would stand idle.
    """
    batch = max(1, min(BATCH, len(files) // num_processes))
    round_size = batch * num_processes
    return files[: max(len(files) // round_size, 1) * round_size], batch


class _Loader(DataLoader):
    """With as many processes as a tutorial has or as there are cores; torch would warn of two on one core."""

    def check_worker_number_rationality(self) -> None:
        """Let the number be."""


def loader(dataset: Dataset, batch: int, num_processes: int) -> DataLoader:
    """Goes through a data set in batches with so many processes, in random order."""
    return _Loader(dataset, batch, shuffle=True, num_workers=num_processes)
