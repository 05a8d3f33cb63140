"""FASTA files: one sequence of letters per record, DNA, RNA or proteins.

Letters in lower case (soft-masked) are read as capitals. The alphabet is that of the whole file; letters that
stand for several, such as N, make a sequence unusable.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, final

import numpy as np

from ganzfeld.data.decoding.decode import UnusableImage
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.kinds.sequence import UNKNOWN
from ganzfeld.data.source import Entry, Source
from ganzfeld.printable import printable

ENDINGS = frozenset((".fa", ".fasta", ".fna", ".ffn", ".faa", ".fas"))
DNA, RNA, PROTEIN = "ACGT", "ACGU", "ACDEFGHIKLMNPQRSTVWY"
_SEVERAL = {DNA: "RYSWKMBDHVN", RNA: "RYSWKMBDHVN", PROTEIN: "BXZJUO"}
"""The letters that stand for several, or for rare ones, by alphabet (IUPAC 1970, 1984)."""

_OF_PROTEINS_ONLY = "EFILPQ"
_LEAST_OF_PROTEINS = 0.02
"""The share of letters that no nucleic acid has, from which a file holds proteins."""

_NO_LETTER = 254
_SPACES = b" \t\r\n\v\f"


def recognises(path: Path) -> int:
    """Recognise a file by its ending."""
    return 2 if path.suffix.lower() in ENDINGS and path.is_file() else 0


@final
class FastaSource(Source):
    """The records of a FASTA file, one entry per record."""

    HAS_FILES = False
    KINDS = ("sequence",)
    FORMAT = "FASTA"

    def entries(self) -> Iterator[Entry]:
        """Yield one entry per record, named by the first word of its header."""
        mtime_ns = self.path.stat().st_mtime_ns
        with self.path.open("rb") as file:
            name, begin, at = "", -1, 0
            for line in file:
                if line.startswith(b">"):
                    if begin >= 0:
                        yield Entry(name, at - begin, mtime_ns, begin)
                    words = line[1:].decode("latin-1").split()
                    name, begin = f"[{words[0] if words else ''}]", at + len(line)
                at += len(line)
            if begin >= 0:
                yield Entry(name, at - begin, mtime_ns, begin)

    def read(self, entry: Entry) -> bytes:
        """Return the lines of a record; raise ``UnusableImage`` if the file has changed."""
        with self.path.open("rb") as file:
            file.seek(entry.locator)
            content = file.read(entry.size)
        if len(content) != entry.size or self.path.stat().st_mtime_ns != entry.mtime_ns:
            raise UnusableImage("changed while it was being read")
        return content.translate(None, _SPACES).upper()

    def stored_size(self, entry: Entry, settings: Preprocessing) -> tuple[int, ...]:
        """Return the number of letters."""
        try:
            return (len(self.read(entry)),)
        except (OSError, UnusableImage):
            return ()

    def values(self, raw: bytes | np.ndarray, settings: Preprocessing) -> np.ndarray:
        """Return the number of every letter in the alphabet, uint8 (letters, 1)."""
        alphabet = self.facts["letters"]
        numbers = np.full(256, _NO_LETTER, np.uint8)
        for number, letter in enumerate(alphabet):
            numbers[ord(letter)] = number
        numbers[[ord(letter) for letter in _SEVERAL[alphabet]]] = UNKNOWN
        letters = np.frombuffer(bytes(raw), np.uint8)
        values = numbers[letters]
        wrong = np.flatnonzero(values == _NO_LETTER)
        if len(wrong):
            first = printable(chr(letters[wrong[0]]))
            raise UnusableImage(f"{first!r}, letter {wrong[0] + 1:,}, is none of {alphabet} and their codes")
        return values[:, None]

    def prepare(self, framing: Preprocessing) -> dict[str, Any]:
        """Find the alphabet of the file, and note what was assumed."""
        counts, num_small, lengths = Counter[str](), 0, Counter[int]()
        for entry in self.entries():
            with self.path.open("rb") as file:
                file.seek(entry.locator)
                content = file.read(entry.size).translate(None, _SPACES)
            capitals = content.upper()
            num_small += sum(one != other for one, other in zip(content, capitals, strict=True))
            counts.update(capitals.decode("latin-1"))
            lengths[len(content)] += 1
        alphabet = _alphabet(counts)
        word = {DNA: "DNA", RNA: "RNA", PROTEIN: "proteins"}[alphabet]
        self.notes.append(f"{printable(self.path.name)}: read as {word}, letters {alphabet}")
        if num_small:
            self.notes.append(f"{num_small:,} letters in lower case (soft-masked) are read as capitals")
        several = {letter: counts[letter] for letter in _SEVERAL[alphabet] if counts[letter]}
        if several:
            shown = ", ".join(f"{letter} {number:,}" for letter, number in several.items())
            self.notes.append(f"letters that stand for several ({shown}): windows with one are left out")
        if num_shorter := sum(number for length, number in lengths.items() if length < framing.width):
            self.notes.append(
                f"{num_shorter:,} sequences have fewer than {framing.width:,} letters, and are left out"
            )
        if num_longer := sum(number for length, number in lengths.items() if length > framing.width):
            self.notes.append(
                f"{num_longer:,} sequences have more than {framing.width:,} letters, and are cut into windows"
            )
        return {"dtype": "uint8", "channels": 1, "letters": alphabet}

    def looked_for(self) -> str:
        """Return what would have counted as a sequence."""
        return "records that begin with a line >NAME"


def _alphabet(counts: Counter[str]) -> str:
    """Return the alphabet that a file uses, by the number of times that it holds each letter."""
    of_proteins = sum(counts[letter] for letter in _OF_PROTEINS_ONLY)
    if of_proteins > _LEAST_OF_PROTEINS * counts.total():
        return PROTEIN
    return RNA if counts["U"] > counts["T"] else DNA
