"""What an experiment has measured, and the verdicts that follow from it.

A figure says how a value relates to what a sentence of the claim says: it is ``=``, ``>`` or ``<`` a number
or another estimate (a rival). Its ``state`` follows from the interval around it:

- ``agrees``: the relation holds in the whole 99 % interval (for ``=``: the interval holds the value);
- ``departs``: it holds nowhere in it;
- ``open``: the interval covers both sides, or there is none (one run is an example), or the measurement is
  not a finite number.

    claim("ratio", say("ReLU over LeakyReLU"), mean_and_error(ratios), 1.0, of="further", relation="<")
    claim("kept", say("kept by the stride"), stride, pooling, of="information", relation=">")  # a rival

The verdict on a sentence follows from the states of its figures, and that on the claim is the worst of its
sentences: see ``verdict_of`` and ``worst``.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, final

from torch import Tensor

from ganzfeld.lab.estimate import Estimate, as_estimate
from ganzfeld.lab.language import Phrase, both, say, together
from ganzfeld.lab.measured import Expected, Measured, Part, Relation, Role, State, compared
from ganzfeld.lab.student import LEVEL

__all__ = [
    "Figures",
    "Measured",
    "Outcome",
    "Part",
    "Sentence",
    "Verdict",
    "by_key",
    "claim",
    "claim_of",
    "every",
    "formula_errors",
    "largest_error",
    "limit",
    "numbered",
    "shown",
    "verdict_of",
    "worst",
]


@final
@dataclass(frozen=True, slots=True)
class _SentenceFigure:
    """Builds figures that test a sentence of the claim, all in one role."""

    role: Literal["claim", "limit"]

    def __call__(
        self,
        key: str,
        name: str,
        measured: Estimate | float,
        expected: Expected,
        *,
        of: str,
        relation: Relation = "=",
        part: Part = "bench",
        tolerance: float = 0.0,
        margin: float | None = None,
        num_trainings: int | None = None,
        identity: bool = False,
    ) -> Measured:
        """Build a figure from an estimate, or from a value without an error; ``of`` is the key of the
        sentence that it tests. A paired comparison is an estimate of differences against 0, not a rival.
        """
        value, error, dof = as_estimate(measured)
        return Measured(
            key,
            name,
            value,
            error,
            role=self.role,
            part=part,
            tolerance=tolerance,
            of=of,
            num_trainings=num_trainings,
            relation=relation,
            dof=dof,
            margin=margin,
            identity=identity,
            **compared(expected),
        )


claim = _SentenceFigure("claim")
"""Builds a figure that must be as the sentence claims."""

limit = _SentenceFigure("limit")
"""Builds a figure at a limit of the sentence: if it departs, the sentence holds only with limits."""


def shown(
    key: str,
    name: str,
    measured: Estimate | float,
    expected: float | None = None,
    *,
    part: Part = "bench",
    tolerance: float = 0.0,
    num_trainings: int | None = None,
) -> Measured:
    """Build a figure that decides nothing; the value it is ``expected`` to have is not part of the claim."""
    value, error, dof = as_estimate(measured)
    return Measured(key, name, value, error, expected, "shown", part, tolerance, None, num_trainings, dof=dof)


def largest_error(
    key: str, name: str, difference: Tensor, *, of: str, tolerance: float, part: Part = "bench"
) -> Measured:
    """Build the figure of a formula's largest error, from all its differences; the claim expects 0."""
    worst_of_all = float(difference.abs().max())
    return claim(key, name, worst_of_all, 0.0, of=of, part=part, tolerance=tolerance, identity=True)


def formula_errors(
    keys: tuple[str, str],
    name: str,
    errors: tuple[Tensor, Tensor],
    *,
    of: str,
    tolerances: tuple[float, float],
) -> list[Measured]:
    """Build the figures of the closed form of a derivative: its largest errors against autograd and against
    differences.
    """
    ways = (say("autograd"), say("differences in float64"))
    return [
        largest_error(
            key,
            say("{name} by {way}, largest error of the formula", name=name, way=way),
            error,
            of=of,
            tolerance=tolerance,
            part="closed form",
        )
        for key, way, error, tolerance in zip(keys, ways, errors, tolerances, strict=True)
    ]


Figures = Mapping[str, Measured]
"""All figures of an experiment, by key."""


def by_key(figures: Iterable[Measured]) -> dict[str, Measured]:
    """Index figures by key. Two figures with the same key are a bug in the experiment."""
    indexed: dict[str, Measured] = {}
    for figure in figures:
        assert figure.key not in indexed, f"two figures have the key {figure.key}"
        indexed[figure.key] = figure
    return indexed


def numbered(figures: Figures, key: str) -> list[Measured]:
    """Return the figures ``<key>-1``, ``<key>-2`` and so on, as many as there are."""
    series: list[Measured] = []
    while f"{key}-{len(series) + 1}" in figures:
        series.append(figures[f"{key}-{len(series) + 1}"])
    return series


Verdict = Literal["holds", "holds with limits", "fails", "not decided"]

BEST_TO_WORST: tuple[Verdict, ...] = ("holds", "holds with limits", "not decided", "fails")


def every(figures: Iterable[Measured]) -> tuple[Measured, ...]:
    """Widen the intervals of figures so that one per cent is the chance that any of a sentence's departs by
    chance, not of each (Bonferroni); a sentence with many figures would fail by chance otherwise.
    """
    figures = tuple(figures)
    counts: dict[tuple[str | None, Role], int] = {}
    for figure in figures:
        if figure.error or figure.expected_error:
            counts[figure.of, figure.role] = counts.get((figure.of, figure.role), 0) + 1
    return tuple(
        dataclasses.replace(figure, level=1 - (1 - LEVEL) / counts.get((figure.of, figure.role), 1))
        if figure.of
        else figure
        for figure in figures
    )


def verdict_of(figures: Iterable[Measured]) -> Verdict:
    """Return the verdict on a sentence that follows from its figures.

    ``fails``: a figure of the claim departs. ``not decided``: none does, but one is open, or none tests it.
    ``holds with limits``: all of these agree, and a figure at a limit departs. ``holds``: all agree, and
    no limit was seen. Figures of one run, which are examples, decide nothing.
    """
    states: dict[Role, set[State | None]] = {"claim": set(), "limit": set(), "shown": set()}
    for figure in figures:
        if not figure.is_example:
            states[figure.role].add(figure.state)
    if "departs" in states["claim"]:
        return "fails"
    if "open" in states["claim"] or not states["claim"]:
        return "not decided"
    return "holds with limits" if "departs" in states["limit"] else "holds"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of the verdicts on the sentences of a claim; ``not decided`` if there are none."""
    among: set[Verdict] = set(verdicts) or {"not decided"}
    return next(verdict for verdict in BEST_TO_WORST[::-1] if verdict in among)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the claim: the ``seed`` text's own words in Chinese, and what they say in English.

    ``seed`` is quoted, word for word, with ... where words are left out; of an experiment beyond the seed it
    is the Chinese of ``text``.
    """

    text: str
    seed: str

    @property
    def phrase(self) -> Phrase:
        """The sentence in both languages."""
        return both(self.text, self.seed)


def claim_of(sentences: Mapping[str, Sentence]) -> Phrase:
    """Return the whole claim: its sentences, one after the other."""
    return together(sentence.phrase for sentence in sentences.values())


@dataclass(frozen=True)
class Outcome:
    """The outcome of an experiment: its settings, its figures, and the ``data`` that its drawing shows.

    ``advice`` is one paragraph on what a practitioner should do, written from the figures. ``sentences`` are
    the sentences of the claim, by key.
    """

    name: str
    settings: dict[str, Any]
    seed: int
    figures: tuple[Measured, ...]
    advice: str
    data: dict[str, Any] = field(default_factory=dict)
    sentences: Mapping[str, Sentence] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The verdict on the whole claim, the worst of those on its sentences."""
        return worst(claimed["verdict"] for claimed in self.claims)

    @property
    def claims(self) -> list[dict[str, Any]]:
        """The sentences of the claim, each with its verdict and the keys of the figures that decide it."""
        return [_with_verdict(key, sentence, self.figures) for key, sentence in self.sentences.items()]

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as ``verdict.json`` holds it, without ``data``."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "claims": self.claims,
            "settings": self.settings,
            "seed": self.seed,
            "figures": [figure.as_json() for figure in self.figures],
            "advice": self.advice,
            "in_situ": self.data.get("in_situ"),
        }


def _with_verdict(key: str, sentence: Sentence, figures: Sequence[Measured]) -> dict[str, Any]:
    """Return one sentence as JSON, with its verdict and the words of the seed text."""
    own = [figure for figure in figures if figure.of == key]
    return {
        "key": key,
        "sentence": sentence.text,
        "seed": sentence.seed,
        "verdict": verdict_of(own),
        "figures": [figure.key for figure in own],
    }
