"""Catalogues: the entries of a folder, found by file name, so that adding one needs no registration.

A loss, a normalisation, a prior, an image source, a recipe... is one file in its folder; nothing lists it.
An entry of several files, such as an experiment, is a folder with an ``__init__.py``. An entry's name is the
name of its file or folder with hyphens (``leaky_relu.py`` is ``leaky-relu``). The docstring of each folder
states what its entries must define, and ``tests/test_contract.py`` checks every entry.
"""

import difflib
import functools
import importlib
from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import ModuleType

from ganzfeld.errors import UsageError


def close_names(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names closest to ``name``, the closest first: at most two, none if none is close.

    >>> close_names("spectal", ["batch", "spectral"]), close_names("x", ["batch"])
    (['spectral'], [])
    """
    return difflib.get_close_matches(name, list(known), n=2, cutoff=0.7)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint with the closest known names, or all known names when none is close."""
    known = sorted(known)
    if close := close_names(name, known):
        return f"Did you mean {' or '.join(close)}?"
    return f"Known: {', '.join(known)}."


class Catalogue:
    """The entries of one folder of the package.

    ``package`` is the dotted name of the folder, ``kind`` the noun for an entry in messages, and ``suffix``
    the end of an entry's file name. If the suffix is ``.py``, a folder with an ``__init__.py`` is an entry
    too. Names that begin with an underscore are not entries.

    >>> Catalogue("ganzfeld.losses", "loss").canonical("Non_Saturating")
    'non-saturating'
    """

    def __init__(self, package: str, kind: str, suffix: str = ".py") -> None:
        self.package = package
        self.kind = kind
        self.suffix = suffix
        self._loaded: dict[str, ModuleType] = {}

    def names(self) -> list[str]:
        """Return the names of all entries, sorted."""
        return list(self._by_letters.values())

    @functools.cached_property
    def _by_letters(self) -> dict[str, str]:
        """Names by the letters that ``canonical`` compares. Cached: reading one recipe looks up dozens."""
        stems = (
            file.name.removesuffix(self.suffix)
            for file in files(self.package).iterdir()
            if (file.name.endswith(self.suffix) or self._is_folder(file)) and not file.name.startswith("_")
        )
        return {_letters(name): name for name in sorted(stem.replace("_", "-") for stem in stems)}

    def _is_folder(self, file: Traversable) -> bool:
        """Check whether an entry is a folder of several files."""
        return self.suffix == ".py" and (file / "__init__.py").is_file()

    def canonical(self, name: str) -> str:
        """Return the canonical spelling: ``LeakyReLU`` and ``leaky_relu`` become ``leaky-relu``.

        Raises ``UsageError`` with the closest names if there is no such entry.
        """
        by_letters = self._by_letters
        if _letters(name) not in by_letters:
            raise UsageError(f"unknown {self.kind} {name!r}", did_you_mean(name, by_letters.values()))
        return by_letters[_letters(name)]

    def file(self, name: str) -> Traversable:
        """Return the file of an entry, or the ``__init__.py`` of an entry that is a folder."""
        stem = self.canonical(name).replace("-", "_")
        folder = files(self.package) / stem
        return (
            folder / "__init__.py" if self._is_folder(folder) else files(self.package) / (stem + self.suffix)
        )

    def load(self, name: str, part: str | None = None) -> ModuleType:
        """Return the module of an entry, or its module ``part`` if the entry is a folder."""
        key = name if part is None else f"{name}.{part}"
        if key not in self._loaded:  # a step loads its loss several times
            module = f"{self.package}.{self.canonical(name).replace('-', '_')}"
            self._loaded[key] = importlib.import_module(module if part is None else f"{module}.{part}")
        return self._loaded[key]


def _letters(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
