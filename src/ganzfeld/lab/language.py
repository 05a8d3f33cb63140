"""The two languages of the lab: what it prints and draws is a phrase, in English and in Chinese.

``say("{num} runs of {what}", num=5, what=say("the toy"))`` returns a ``Phrase``, a string in English that
knows its template and its values. ``words_in("zh", phrase)`` renders it in Chinese, by a table that holds
the Chinese of every template:

    TABLE = {"{num} runs of {what}": "{what}的 {num} 次运行", "the toy": "玩具模型"}

The tables are ``ganzfeld/lab/chinese.py``, for what all experiments share, and ``chinese.py`` in the folders
of the experiments and of the ablations. A phrase whose template is in no table stays English; a contract
test refuses that. Strings that are no phrases are the same in both languages: numbers, names of layers,
``float32``.

Rules: build names, findings, advice and everything in figures with ``say``; put text that varies into values,
as phrases where it is language; join sentences with ``together``; never change a phrase by ``+``, ``replace``
or an f-string, which leave a plain English string. While a figure is drawn, the lab speaks its language
(``speaking``), and there ``str(phrase)`` is in that language.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any, final

from ganzfeld.errors import UsageError

LANGUAGES = ("en", "zh")

ENVIRONMENT = "GANZFELD_LANG"
"""Name of the variable that holds the language where none is given."""

_spoken: ContextVar[str] = ContextVar("language of the lab", default="en")


@final
class Phrase(str):
    """A text of the lab: as a string it is English, and ``words_in`` renders it in other languages.

    ``seed`` is its Chinese where that is known in place, as for a sentence of the seed text.
    """

    template: str
    values: Mapping[str, Any]
    seed: str | None
    between: str | None

    __slots__ = ("between", "seed", "template", "values")

    def __str__(self) -> str:
        """Return the text in the language that is spoken."""
        return words_in(_spoken.get(), self) if _spoken.get() != "en" else str.__str__(self)


def _phrase(template: str, values: Mapping[str, Any], seed: str | None, between: str | None) -> Phrase:
    """Build a phrase; its parts are its values where ``between``, what stands between them, is not None."""
    if between is None:
        english = template.format_map(_Words(values, "en")) if values else template
    else:
        english = between.join(words_in("en", part) for part in values.values())
    phrase = Phrase(english)
    phrase.template, phrase.values, phrase.seed, phrase.between = template, dict(values), seed, between
    return phrase


def say(template: str, /, **values: Any) -> Phrase:
    """Return a phrase from its English template, with values in braces as ``str.format`` takes them.

    Without values the template is taken as it is, braces included.
    """
    return _phrase(template, values, None, None)


def both(english: str, chinese: str) -> Phrase:
    """Return a phrase that brings its Chinese along, for texts that are written together."""
    return _phrase(english, {}, chinese, None)


def together(parts: Iterable[str], between: str = " ") -> Phrase:
    """Join phrases to one, with a space between them in English, or what is given; in Chinese with nothing
    in place of a space.
    """
    return _phrase("", {f"part{number}": part for number, part in enumerate(parts)}, None, between)


def words_in(language: str, text: Any) -> str:
    """Return a phrase in a language. Other texts and numbers are the same in every language."""
    if not isinstance(text, Phrase):
        return str(text)
    if language == "en":
        return str.__str__(text)
    if text.between is not None:
        return _between(text.between).join(words_in(language, part) for part in text.values.values())
    template = text.seed or tables().get(text.template)
    if template is None:
        return str.__str__(text)
    return template.format_map(_Words(text.values, language)) if text.values else template


def _between(english: str) -> str:
    return {" ": "", ", ": "，", "; ": "；"}.get(english, english)


class _Words(dict[str, Any]):
    """Values of a template in one language: phrases rendered, and all else as it is."""

    def __init__(self, values: Mapping[str, Any], language: str) -> None:
        super().__init__(values)
        self.language = language

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        return words_in(self.language, value) if isinstance(value, Phrase) else value


def without_chinese(text: Any) -> set[str]:
    """Return the templates of a phrase that no table holds, or the text itself where it is not a phrase."""
    if not isinstance(text, Phrase):
        return {str(text)}
    inner = {
        template
        for value in text.values.values()
        if isinstance(value, Phrase)
        for template in without_chinese(value)
    }
    if text.between is not None or text.seed is not None or text.template in tables():
        return inner
    return inner | {text.template}


@cache
def tables() -> Mapping[str, str]:
    """Return the Chinese of all templates: what all experiments share, that of the ablations' page, and that
    of each experiment.
    """
    folder = files("ganzfeld.lab.experiments")
    homes = [
        f"ganzfeld.lab.experiments.{entry.name}"
        for entry in folder.iterdir()
        if entry.is_dir() and entry.joinpath("chinese.py").is_file()
    ]
    joined: dict[str, str] = {}
    for home in ["ganzfeld.lab", "ganzfeld.lab.ablations", *sorted(homes)]:
        joined |= import_module(f"{home}.chinese").TABLE
    return joined


def chosen_language(language: str | None = None) -> str:
    """Return the language that is given, else that of the environment, else English.

    Raises ``UsageError`` for a language that the lab does not speak.
    """
    wanted, source = language, "--lang"
    if wanted is None:
        wanted, source = os.environ.get(ENVIRONMENT) or "en", ENVIRONMENT
    if wanted not in LANGUAGES:
        raise UsageError(f"unknown language {wanted!r} in {source}", f"Choose one of {', '.join(LANGUAGES)}.")
    return wanted


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak a language for a while: ``str(phrase)`` is in it, as in the figures that are drawn meanwhile."""
    before = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(before)
