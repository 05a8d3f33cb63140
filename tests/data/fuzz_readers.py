"""A fuzz target over everything that reads files of the user's: archives, arrays, IDX and decoder.

    python -m tests.data.fuzz_readers 60 0        mutates real files for a minute, from number 0 on
    python -m tests.data.fuzz_readers --atheris   the same under libFuzzer, until Ctrl-C (pip install atheris)

Whatever the bytes are, a reader may refuse them with ``DataError`` or ``UnusableImage``, or ask with
``UsageError`` what the data are, and no more.
"""

import gzip
import io
import os
import random
import struct
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from ganzfeld.data.decoding.decode import UnusableImage
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.sources import open_source, recognised
from ganzfeld.errors import DataError, UsageError

ENDINGS = (".zip", ".tar", ".tar.gz", ".npy", ".npz", "-images-idx3-ubyte", "-images-idx3-ubyte.gz", "/a.png")
_MOST_ENTRIES = 50


def read_all(path: Path) -> int:
    """Opens whatever is at the path and decodes what it holds; the number of images that came out."""
    kind = recognised(path)
    if kind is None:
        return 0
    decoded = 0
    try:
        with open_source(kind, path) as source:
            source.arrange(Preprocessing(8, 8))
            source.facts = source.prepare(Preprocessing(8, 8))
            names = []
            for entry in source.entries():
                names.append(entry.name)
                if len(names) > _MOST_ENTRIES:
                    break
                if entry.flaw:
                    continue
                try:
                    pixels = source.decode(source.read(entry), Preprocessing(8, 8)).pixels
                    assert pixels.shape[:2] == (8, 8) and pixels.dtype == np.uint8
                    decoded += 1
                except UnusableImage:
                    pass
            list(source.classes(names) or ())
    except (DataError, UsageError):
        pass
    return decoded


def one_input(content: bytes, folder: Path) -> None:
    """The target: the first byte picks the kind of file, the rest is its content."""
    ending = ENDINGS[content[0] % len(ENDINGS)] if content else ".zip"
    path = folder / f"input{ending}"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content[1:])
    read_all(path if path.parent == folder else path.parent)
    path.unlink()


def seeds() -> list[bytes]:
    """One small real file of every kind."""
    stack = np.random.default_rng(0).integers(0, 256, (2, 12, 12, 3), dtype=np.uint8)
    png = io.BytesIO()
    Image.fromarray(stack[0]).save(png, "PNG")
    archive, tar, array, arrays = io.BytesIO(), io.BytesIO(), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("0/a.png", png.getvalue())
        members.writestr("dataset.json", '{"labels": [["0/a.png", 1]]}')
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as members:
        info = tarfile.TarInfo("ä" * 120 + "/a.png")  # long enough for an extended header
        info.size = len(png.getvalue())
        members.addfile(info, io.BytesIO(png.getvalue()))
    np.save(array, stack.astype(np.float32) / 255)
    np.savez_compressed(arrays, images=stack, labels=np.arange(2))
    idx = bytes([0, 0, 8, 3]) + struct.pack(">3L", 2, 12, 12) + stack[..., 0].tobytes()
    kinds = [archive, tar, tar, array, arrays, idx, idx, png]
    contents = [kind if isinstance(kind, bytes) else kind.getvalue() for kind in kinds]
    contents[2], contents[6] = gzip.compress(contents[2]), gzip.compress(contents[6])
    return [bytes([number]) + content for number, content in enumerate(contents)]


def mutated(content: bytes, chance: random.Random) -> bytes:
    """A seed with a few bytes set, cut, repeated or replaced by extreme numbers."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(1, len(changed)) if len(changed) > 1 else 0
        match chance.randrange(5):
            case 0:
                changed[at] = chance.randrange(256)
            case 1:
                changed[at] ^= 1 << chance.randrange(8)
            case 2:
                extreme = chance.choice([0, 1, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1])
                changed[at : at + 4] = extreme.to_bytes(4, chance.choice(["little", "big"]))
            case 3:
                del changed[at : at + chance.randrange(40)]
            case _:
                changed[at:at] = changed[at : at + chance.randrange(40)]
    return bytes(changed) or b"\0"


def main(seconds: float, tried: int = 0) -> None:
    """Tries mutations for a while, beginning with number ``tried``; prints the number of one that fails."""
    files, end = seeds(), time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < end:
            chance = random.Random(tried)
            try:
                one_input(mutated(chance.choice(files), chance), Path(folder))
            except Exception:
                print(f"input {tried} does what no reader may")
                raise
            tried += 1
    print(f"up to input {tried}, none did more than be refused")


def under_atheris() -> None:
    """Hands the target to libFuzzer."""
    import importlib

    atheris = importlib.import_module("atheris")  # not a dependency: not every system has a wheel of it
    folder = Path(tempfile.mkdtemp())
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, content in enumerate(seeds()):
        (corpus / str(number)).write_bytes(content)
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], os.fspath(corpus)], lambda content: one_input(content, folder))
    atheris.Fuzz()


if __name__ == "__main__":
    if "--atheris" in sys.argv:
        under_atheris()
    else:
        given = [int(argument) for argument in sys.argv[1:]]
        main(*given or [60])
