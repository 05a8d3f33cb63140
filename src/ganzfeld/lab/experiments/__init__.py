"""The experiments, one folder each, named as their claim is.

The ``__init__.py`` of an entry defines

- ``CLAIM`` and ``CLAIM_ZH``: what the theory says, in one sentence, in English and in Chinese; ``SECTION``:
  where the seed text says it;
- ``FORMULAS``: the closed form for people, a mapping from what a formula is, in a few words, to the formula
  in matplotlib's mathtext, without dollar signs;
- ``Settings``: a final subclass of ``ganzfeld.recipes.schema.Section`` (frozen, unknown fields refused) with
  a default for every field, which refuses what means nothing with a clear sentence; its docstring says what
  each field is;
- ``SHORT``: settings under which ``bench`` takes a second or two on one core, for ``make test``;
- ``THOROUGH``: the settings of ``--thorough``, where they are not given;
- plain functions for the closed form, each with its source in its docstring;
- ``bench(settings, seed, thorough) -> (figures, data)`` and ``in_situ(live, settings, seed) -> (figures,
  data)``: what was measured, closed form and bench in the first, the live networks in the second (see
  ``ganzfeld.lab.live``). The same seed gives the same numbers on the same machine;
- ``advice(figures) -> str``: what a practitioner should do, from what was measured;
- ``draw(outcome) -> matplotlib.figure.Figure``: the picture that explains it. A ``Figure`` of its own, never
  ``pyplot``, which keeps a global state.

A page ``docs/lab/<name>.md`` and one in Chinese, ``docs/lab/<name>.zh.md``, say in plain words what is seen.
"""

from ganzfeld.catalogue import Catalogue

experiments = Catalogue("ganzfeld.lab.experiments", "experiment")
