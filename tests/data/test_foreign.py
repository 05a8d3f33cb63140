"""Files that hold no images which are read here: named as what they are, never unpickled."""

import io
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from ganzfeld.data import open_images
from ganzfeld.errors import DataError
from tests.data.making import encoded, fill, noise, zipped


def refusal(path: Path) -> DataError:
    """Why a path is refused as data."""
    with pytest.raises(DataError) as caught:
        open_images(path, (8, 8))
    return caught.value


class Planted:
    """Whoever unpickles this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["set.pt", "set.pth", "set.ckpt", "set.zip", "set"])
@pytest.mark.parametrize("zipped_form", [True, False])
def test_what_torch_saved(tmp_path: Path, name: str, zipped_form: bool):
    path, planted = tmp_path / name, tmp_path / "planted"
    what = {"images": torch.zeros(2, 3, 8, 8), "planted": Planted(planted)}
    torch.save(what, path, _use_new_zipfile_serialization=zipped_form)
    error = refusal(path)
    assert error.message == f"{path} is a PyTorch file, not a set of images"
    assert "numpy.save" in error.hint and not planted.exists()


def test_what_torch_scripted(tmp_path: Path):
    buffer = io.BytesIO()
    # A scripted module holds no data.pkl in the first place of the zip.
    names = ["m/data/0", "m/data.pkl", "m/code/m.py", "m/constants.pkl", "m/version"]
    zipped(tmp_path / "set.pt", dict.fromkeys(names, buffer.getvalue()))
    assert "is a PyTorch file" in refusal(tmp_path / "set.pt").message


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles(tmp_path: Path, protocol: int):
    path, planted = tmp_path / "set.pkl", tmp_path / "planted"
    path.write_bytes(pickle.dumps(Planted(planted), protocol))
    assert "is a Python pickle, not" in refusal(path).message
    assert not planted.exists()


def test_an_array_of_objects_under_the_name_of_an_array(tmp_path: Path):
    (tmp_path / "set.npy").write_bytes(pickle.dumps(np.zeros((2, 8, 8), np.uint8)))
    assert "is a Python pickle" in refusal(tmp_path / "set.npy").message


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + bytes(99), "a MATLAB file"),
        (b"PAR1" + bytes(99) + b"PAR1", "a Parquet file"),
        (b"ARROW1\0\0" + bytes(99), "an Arrow or Feather file"),
        (struct.pack("<Q", 20) + b'{"x":{}}' + bytes(99), "a safetensors file"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(99), "an archive in an unsupported format"),
        (b"Rar!\x1a\x07\x01\x00" + bytes(99), "an archive in an unsupported format"),
        (b"\0\0\0\x20ftypisom" + bytes(99), "a video or an audio file"),
        (b"SQLite format 3\0" + bytes(99), "a database"),
    ],
)
def test_first_bytes_tell_whatever_the_name_says(tmp_path: Path, content: bytes, what: str):
    for name in ("set", "set.zip", "set.npz", "set.bin"):
        (tmp_path / name).write_bytes(content)
        assert f"is {what}, not a set of images" in refusal(tmp_path / name).message


@pytest.mark.parametrize(
    ("ending", "what"),
    [
        (".pt", "a PyTorch file"),
        (".PKL", "a Python pickle"),
        (".h5", "an HDF5 file"),
        (".mat", "a MATLAB file"),
        (".parquet", "a Parquet file"),
        (".safetensors", "a safetensors file"),
        (".tfrecord", "a file of TensorFlow records"),
        (".onnx", "a file with a network"),
        (".csv", "a text file"),
    ],
)
def test_names_tell_where_bytes_do_not(tmp_path: Path, ending: str, what: str):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / f"set{ending}"
    path.write_bytes(b"nothing known")
    assert f"is {what}, not a set of images" in refusal(path).message
    error = refusal(folder)
    assert f"found 1 {ending.lower()}" in error.message
    assert error.hint.startswith(f"Each of these files seems to be {what}. ")


def test_a_zip_of_images_stays_one_whatever_it_is_called(tmp_path: Path):
    images = {f"{n}.png": encoded(noise(8, 8, seed=n)) for n in range(2)}
    for name in ("set.pt", "set.h5", "set"):
        zipped(tmp_path / name, images | {"data.pkl": b"", "other/data.pkl": b""})
        assert open_images(tmp_path / name, (8, 8)).num_pictures == 2


def test_a_folder_of_images_is_read_beside_anything(tmp_path: Path):
    fill(tmp_path / "set", 2)
    torch.save({}, tmp_path / "set" / "model.pt")
    assert open_images(tmp_path / "set", (8, 8)).num_pictures == 2


def test_a_pipe_is_not_waited_for(tmp_path: Path):
    for name in ("set", "set.pt", "set.zip", "set.npy"):
        os.mkfifo(tmp_path / name)
        assert "is neither a folder nor a regular file" in refusal(tmp_path / name).message
