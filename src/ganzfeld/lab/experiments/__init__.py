"""The experiments, one file each, named as their claim is.

An entry defines

- ``CLAIM`` and ``CLAIM_ZH``: what the theory says, in one sentence, in English and in Chinese; ``SECTION``:
  where the seed text says it;
- ``Settings``: a frozen pydantic model (``extra="forbid"``) with a default for every field, which refuses
  what means nothing with a clear sentence; its docstring says what each field is;
- plain functions for the closed form, each with its source in its docstring;
- ``bench(settings, seed, thorough) -> (figures, data)`` and ``in_situ(live, settings, seed) -> (figures,
  data)``: what was measured, closed form and bench in the first, the live networks in the second. The same
  seed gives the same numbers on the same machine;
- ``advice(figures) -> str``: what a practitioner should do, from what was measured;
- ``draw(outcome) -> matplotlib.figure.Figure``: the picture that explains it.
"""

from ganzfeld.catalogue import Catalogue

experiments = Catalogue("ganzfeld.lab.experiments", "experiment")
