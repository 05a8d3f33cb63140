"""The experiments: one folder per claim, with the name of the claim.

An entry is a folder of five files, which a test checks for every entry. It may hold other modules too.

``__init__.py``: the claim, the settings and the advice.

- ``CLAIM`` and ``CLAIM_ZH``: the claim of the theory, in English and in Chinese; ``SECTION``: the section
  of the seed text that makes it;
- ``SENTENCES``: the sentences of the claim by key (kebab-case), each a ``Sentence`` in English with the seed
  text's own words, which gets its own verdict; what is contentious is a sentence that can fail;
- ``Settings``: a final subclass of ``ganzfeld.recipes.schema.Section`` (frozen, unknown fields are errors)
  with a default for every field and a clear error for every invalid value; its docstring explains each field;
- ``SHORT``: settings with which ``bench`` takes a second or two on one core, for ``make test``;
- ``THOROUGH``: the defaults of ``--thorough``;
- ``advice(figures, settings) -> str``: what a practitioner should do, written from the figures
  (``ganzfeld.lab.outcome.Figures``), which it looks up by key alone.

``theory.py``: the closed forms. It imports no other file of its experiment.

- ``FORMULAS``: the closed forms for people, a mapping from a few words to the formula in matplotlib's
  mathtext, without dollar signs;
- the closed forms as plain functions, each with its source in its docstring. The other files use them as
  ``theory.<name>``.

``toy.py``: the bench, the smallest numerical experiment that can refute the claim.

- ``bench(settings, seed, thorough) -> (figures, data)``: the figures of the parts "closed form" and "bench".

``live.py``: in situ, the same quantities in networks that train.

- ``in_situ(live, settings, seed) -> (figures, data)``: the figures of the part "in situ" of ONE run; see
  ``ganzfeld.lab.live``. The lab repeats it over runs: with ``--thorough`` five, whose figures carry Student's
  intervals; otherwise one, an example that decides nothing. So build figures from plain values, and mark
  with ``identity=True`` what arithmetic makes true in every single run. See ``ganzfeld.lab.repeated``;
- ``variants(settings)``, if ``in_situ`` measures variants of the run: their settings of the recipe, so that
  ``--thorough`` can train them before, two at a time, and say how long that takes;
- ``trained(live, settings, seed) -> (figures, data)``, if an experiment trains networks of its own, with
  replicas and estimates of its own (``mean_and_error``, ``over_runs``). It is called once. Beside it,
  ``images_trained(live, settings)`` returns the number of images that this takes, for the time that
  ``--thorough`` says first.

``figure.py``: the drawing that explains it.

- ``draw(outcome) -> matplotlib.figure.Figure``: a new ``Figure``, never ``pyplot``, which keeps global
  state.

``chinese.py``: ``TABLE``, the Chinese of all phrases of the experiment; see ``ganzfeld.lab.language``. All
names of figures, advice and text in drawings are phrases built by ``say``.

Figures are built by ``claim``, ``limit`` and ``shown`` of ``ganzfeld.lab.outcome``. Each has a short, stable
key in kebab-case, unique in its experiment. A figure of a claim or a limit names the sentence that it tests,
and a figure tests every sentence. The ``data`` of both parts are joined; only ``draw`` uses them. The same
seed gives the same numbers on the same machine.

A page ``docs/lab/<name>.md`` and its Chinese version ``docs/lab/<name>.zh.md`` explain the results in plain
words.
"""

from ganzfeld.catalogue import Catalogue

experiments = Catalogue("ganzfeld.lab.experiments", "experiment")
