"""Recognise files that cannot be read as a set of images, and say how to convert them.

The first bytes decide; the file name's ending decides only if they say nothing. Nothing is unpickled or
unpacked.
"""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ganzfeld.data.sources._zip_directory import members
from ganzfeld.errors import DataError
from ganzfeld.regular import open_regular


class Foreign(NamedTuple):
    """What a file is (with an article), and how to make its content usable for training."""

    what: str
    how: str


_SAVE = 'numpy.save("images.npy", images)'
_SHAPE = "with the shape (N, height, width, channels) or (N, channels, height, width)"
_TORCH = Foreign(
    "a PyTorch file",
    f"It is never unpickled here. If it holds images, load it where you trust it and save them: {_SAVE}, "
    f"{_SHAPE}. If it holds a network, give the images to train on instead.",
)
_PICKLE = Foreign(
    "a Python pickle",
    f"It is never unpickled here. Load it where you trust it and save the images: {_SAVE}, {_SHAPE}.",
)
_HDF5 = Foreign("an HDF5 file", "Give the file itself, with --kind and --axes.")
_MATLAB = Foreign(
    "a MATLAB file",
    'Save its images as an array: images = scipy.io.loadmat("FILE")["NAME"] (of MATLAB 7.3: h5py), '
    f"with the image axis moved to the front by numpy.moveaxis(images, -1, 0); {_SAVE}, {_SHAPE}.",
)
_PARQUET = Foreign(
    "a Parquet file",
    "Write the image bytes of each row to a separate file (pandas.read_parquet), and give the folder.",
)
_ARROW = Foreign(
    "an Arrow or Feather file",
    "Write the image bytes of each row to a separate file (pyarrow), and give the folder.",
)
_SAFETENSORS = Foreign(
    "a safetensors file",
    f'If it holds images, save them: images = safetensors.numpy.load_file("FILE")["NAME"]; {_SAVE}, '
    f"{_SHAPE}. If it holds a network, give the images to train on instead.",
)
_RECORDS = Foreign(
    "a file of TensorFlow records",
    "Write the image bytes of each record to a separate file, and give the folder.",
)
_NETWORK = Foreign("a file with a network", "Give the images to train on.")
_ARCHIVE = Foreign("an archive in an unsupported format", "Unpack it, and give the folder.")
_PACKED = Foreign("a compressed file", "Unpack it, and give its content.")
_VIDEO = Foreign(
    "a video or an audio file",
    "Write the frames of a video into a folder, and give the folder: ffmpeg -i FILE frames/%06d.png",
)
_TABLE = Foreign(
    "a text file",
    "Give the folder or the archive that holds the images; give a table of their labels with --labels.",
)
_DATABASE = Foreign("a database", "Write each image to a separate file, and give the folder.")
_DOCUMENT = Foreign("a document", "Write each image to a separate file, and give the folder.")

_SIGNATURES = (  # offset, bytes; the first match wins
    (0, b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", _TORCH),  # torch.save before 1.6
    *((0, bytes((0x80, protocol)), _PICKLE) for protocol in range(2, 6)),
    (0, b"MATLAB 5.0 MAT-file", _MATLAB),
    (0, b"MATLAB 7.3 MAT-file", _MATLAB),
    (0, b"PAR1", _PARQUET),
    (0, b"ARROW1", _ARROW),
    (0, b"FEA1", _ARROW),
    (0, b"GGUF", _NETWORK),
    (0, b"Rar!\x1a\x07", _ARCHIVE),
    (0, b"7z\xbc\xaf\x27\x1c", _ARCHIVE),
    (0, b"\x28\xb5\x2f\xfd", _PACKED),  # Zstandard
    (0, b"\x04\x22\x4d\x18", _PACKED),  # LZ4
    (0, b"SQLite format 3\0", _DATABASE),
    (0, b"%PDF-", _DOCUMENT),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _DOCUMENT),
    (0, b"\x1a\x45\xdf\xa3", _VIDEO),  # Matroska, WebM
    (0, b"ID3", _VIDEO),
    (0, b"fLaC", _VIDEO),
    (0, b"OggS", _VIDEO),
    (8, b"AVI LIST", _VIDEO),
    (8, b"WAVEfmt ", _VIDEO),
)
_ENDINGS = {
    _TORCH: ".pt .pth .ckpt .t7 .pt2 .torch",
    _PICKLE: ".pkl .pickle .p .pck .joblib .dill",
    _HDF5: ".h5 .hdf5 .hdf .he5 .h5py",
    _MATLAB: ".mat",
    _PARQUET: ".parquet .pq",
    _ARROW: ".arrow .feather .ipc",
    _SAFETENSORS: ".safetensors",
    _RECORDS: ".tfrecord .tfrecords",
    _NETWORK: ".onnx .keras .pb .tflite .gguf .mlmodel .caffemodel",
    _ARCHIVE: ".rar .7z .cab .ace .lzh .cpio",
    _PACKED: ".gz .bz2 .xz .zst .lz4 .lzma .z",
    _VIDEO: ".mp4 .mov .avi .mkv .webm .mpg .mpeg .m4v .wmv .flv .wav .mp3 .flac .ogg .m4a",
    _TABLE: ".csv .tsv .txt .json .jsonl .ndjson .xml .yaml .yml .md .html",
    _DATABASE: ".mdb .lmdb .db .sqlite .sqlite3",
    _DOCUMENT: ".pdf .docx .pptx .xlsx .odt .doc .ppt .xls",
}
_BY_ENDING = {ending: kind for kind, endings in _ENDINGS.items() for ending in endings.split()}
_HEAD_BYTES = 600
_MOST_MEMBERS = 10_000
_MOVIE_BRANDS = (b"isom", b"iso2", b"mp4", b"M4V", b"M4A", b"qt  ", b"avc1", b"3gp", b"dash")


def foreign_by_content(path: Path) -> Foreign | None:
    """Return what a regular file is, judging by its content; None if unknown or if it may hold images."""
    try:
        with open_regular(path) as file:
            head, size = file.read(_HEAD_BYTES), path.stat().st_size
    except OSError:
        return None
    if head.startswith(b"PK\x03\x04"):
        return _TORCH if _is_torch_zip(path) else None
    for offset, signature, kind in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return kind
    if head[4:8] == b"ftyp" and head[8:].startswith(_MOVIE_BRANDS):
        return _VIDEO  # AVIF images use the same container, with other brands
    return _SAFETENSORS if _is_safetensors(head, size) else None


def foreign_by_ending(endings: Iterable[str]) -> Foreign | None:
    """Return what files with one of these endings (``.pt``) usually are; the first known ending wins."""
    return next((_BY_ENDING[ending] for ending in map(str.lower, endings) if ending in _BY_ENDING), None)


def _is_torch_zip(path: Path) -> bool:
    """Return whether ``torch.save`` wrote a zip: it has ``data.pkl`` and ``version`` in one folder."""
    try:
        with open_regular(path) as file:
            names = {member.name for member in islice(members(file), _MOST_MEMBERS)}
    except (DataError, OSError):
        return False
    folders = {name.partition("/")[0] for name in names if name.endswith("/data.pkl")}
    return any(f"{folder}/version" in names for folder in folders)


def _is_safetensors(head: bytes, size: int) -> bool:
    """Return whether a file begins with the length of a JSON object, followed by the object."""
    length = int.from_bytes(head[:8], "little")
    return 2 <= length <= size - 8 and head[8:10] in (b'{"', b"{}", b"{ ")
