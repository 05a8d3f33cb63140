"""One file per addition: the entries of a folder, found by name.

A loss, a normalisation, a prior, a picture source, a recipe... is one file in its folder; nothing lists it. A
name is the file's name with hyphens (``leaky_relu.py`` is ``leaky-relu``). What an entry of a given folder
must define is said in the docstring of that folder and walked by ``tests/test_contract.py``.
"""

import difflib
import functools
import importlib
from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import ModuleType

from ganzfeld.errors import UsageError


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """A hint that names the closest known names, or all of them when none is close."""
    known = sorted(known)
    close = difflib.get_close_matches(given, known, n=2, cutoff=0.7)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"Known: {', '.join(known)}."


class Catalogue:
    """The entries of one folder of the package.

    ``package`` is the dotted name of the folder, ``kind`` what one entry is called in messages, ``suffix``
    what its file name ends in. Files whose name begins with an underscore are not entries.

    >>> Catalogue("ganzfeld.losses", "loss").canonical("Non_Saturating")
    'non-saturating'
    """

    def __init__(self, package: str, kind: str, suffix: str = ".py") -> None:
        self.package = package
        self.kind = kind
        self.suffix = suffix
        self._loaded: dict[str, ModuleType] = {}

    def names(self) -> list[str]:
        """Names of all entries, sorted."""
        return list(self._by_letters.values())

    @functools.cached_property
    def _by_letters(self) -> dict[str, str]:
        """The names by what ``canonical`` compares. Looked up once: a recipe that is read asks for dozens."""
        stems = (
            file.name.removesuffix(self.suffix)
            for file in files(self.package).iterdir()
            if file.name.endswith(self.suffix) and not file.name.startswith("_")
        )
        return {_letters(name): name for name in sorted(stem.replace("_", "-") for stem in stems)}

    def canonical(self, given: str) -> str:
        """The name as we write it: ``LeakyReLU``, ``leaky_relu`` and ``leaky-relu`` are one.

        Raises ``UsageError`` with the nearest names if there is no such entry.
        """
        by_letters = self._by_letters
        if _letters(given) not in by_letters:
            raise UsageError(f"unknown {self.kind} {given!r}", did_you_mean(given, by_letters.values()))
        return by_letters[_letters(given)]

    def file(self, name: str) -> Traversable:
        """The file of an entry."""
        return files(self.package) / (self.canonical(name).replace("-", "_") + self.suffix)

    def load(self, name: str) -> ModuleType:
        """The module of an entry (of a folder of Python files)."""
        if name not in self._loaded:  # a loss is asked for several times a step
            module = f"{self.package}.{self.canonical(name).replace('-', '_')}"
            self._loaded[name] = importlib.import_module(module)
        return self._loaded[name]


def _letters(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
