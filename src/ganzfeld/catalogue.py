"""One file or folder per addition: the entries of a folder, found by name.

A loss, a normalisation, a prior, an image source, a recipe... is one file in its folder; nothing lists it.
An entry of several files, such as an experiment, is a folder with an ``__init__.py``. A name is the file's or
the folder's name with hyphens (``leaky_relu.py`` is ``leaky-relu``). What an entry of a given folder must
define is said in the docstring of that folder and walked by ``tests/test_contract.py``.
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
    """Return a hint that names the closest known names, or all of them when none is close."""
    known = sorted(known)
    close = difflib.get_close_matches(given, known, n=2, cutoff=0.7)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"Known: {', '.join(known)}."


class Catalogue:
    """The entries of one folder of the package.

    ``package`` is the dotted name of the folder, ``kind`` what one entry is called in messages, ``suffix``
    what its file name ends in. Where that is ``.py``, a folder with an ``__init__.py`` is an entry like a
    file. Names that begin with an underscore are not entries.

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
        """The names by what ``canonical`` compares. Looked up once: a recipe that is read asks for dozens."""
        stems = (
            file.name.removesuffix(self.suffix)
            for file in files(self.package).iterdir()
            if (file.name.endswith(self.suffix) or self._is_folder(file)) and not file.name.startswith("_")
        )
        return {_letters(name): name for name in sorted(stem.replace("_", "-") for stem in stems)}

    def _is_folder(self, file: Traversable) -> bool:
        """Tell whether an entry is a folder of several files."""
        return self.suffix == ".py" and (file / "__init__.py").is_file()

    def canonical(self, given: str) -> str:
        """Return the name as we write it: ``LeakyReLU``, ``leaky_relu`` and ``leaky-relu`` are one.

        Raises ``UsageError`` with the nearest names if there is no such entry.
        """
        by_letters = self._by_letters
        if _letters(given) not in by_letters:
            raise UsageError(f"unknown {self.kind} {given!r}", did_you_mean(given, by_letters.values()))
        return by_letters[_letters(given)]

    def file(self, name: str) -> Traversable:
        """Return the file of an entry; of a folder, its ``__init__.py``."""
        stem = self.canonical(name).replace("-", "_")
        folder = files(self.package) / stem
        return (
            folder / "__init__.py" if self._is_folder(folder) else files(self.package) / (stem + self.suffix)
        )

    def load(self, name: str, part: str | None = None) -> ModuleType:
        """Return the module of an entry (of a folder of Python files), or of the ``part`` of one that is a
        folder.
        """
        key = name if part is None else f"{name}.{part}"
        if key not in self._loaded:  # a loss is asked for several times a step
            module = f"{self.package}.{self.canonical(name).replace('-', '_')}"
            self._loaded[key] = importlib.import_module(module if part is None else f"{module}.{part}")
        return self._loaded[key]


def _letters(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
