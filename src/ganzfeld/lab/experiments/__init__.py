"""The experiments: one folder for each claim, named as the claim is.

An entry is a folder of five files; a test walks all of them. Further modules beside them are its own affair.

``__init__.py``: the claim, the settings and the advice.

- ``CLAIM`` and ``CLAIM_ZH``: what the theory says, in English and in Chinese; ``SECTION``: where the seed
  text says it;
- ``SENTENCES``: the statements of the claim by key (kebab-case), each of which gets a verdict of its own;
- ``Settings``: a final subclass of ``ganzfeld.recipes.schema.Section`` (frozen, unknown fields refused) with
  a default for every field, which refuses what means nothing with a clear sentence; its docstring says what
  each field is;
- ``SHORT``: settings under which ``bench`` takes a second or two on one core, for ``make test``;
- ``THOROUGH``: the settings of ``--thorough``, where they are not given;
- ``advice(figures, settings) -> str``: what a practitioner should do, from the figures by key
  (``ganzfeld.lab.outcome.Figures``). It looks them up by key alone.

``theory.py``: the closed forms. It imports nothing of its experiment.

- ``FORMULAS``: the closed forms for people, a mapping from what a formula is, in a few words, to the formula
  in matplotlib's mathtext, without dollar signs;
- the same as plain functions, each with its source in its docstring. The other files use them as
  ``theory.<name>``.

``toy.py``: the bench, the smallest numerical experiment that can refute the claim.

- ``bench(settings, seed, thorough) -> (figures, data)``: the figures of the parts "closed form" and "bench".

``live.py``: in situ, the same quantities in networks that train.

- ``in_situ(live, settings, seed) -> (figures, data)``: the figures of the part "in situ"; see
  ``ganzfeld.lab.live``.

``figure.py``: the drawing that explains it.

- ``draw(outcome) -> matplotlib.figure.Figure``: a ``Figure`` of its own, never ``pyplot``, which keeps a
  global state.

Figures are built by ``claim``, ``limit`` and ``shown`` of ``ganzfeld.lab.outcome``. Each has a key, short,
stable, in kebab-case and unique in its experiment; one of a claim or a limit names the sentence that it
tests, and every sentence is tested by a figure. ``data`` of both parts are joined, for ``draw`` alone. The
same seed gives the same numbers on the same machine.

A page ``docs/lab/<name>.md`` and one in Chinese, ``docs/lab/<name>.zh.md``, say in plain words what is seen.
"""

from ganzfeld.catalogue import Catalogue

experiments = Catalogue("ganzfeld.lab.experiments", "experiment")
