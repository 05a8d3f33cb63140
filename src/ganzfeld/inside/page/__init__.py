"""``inside.html``: what was made by looking into a run, gathered on one self-contained page.

section   what one command made: a record that is kept in the run folder
shelf     the records of a run, and the page that is made of them
"""

from ganzfeld.inside.page.section import PageImage, Section
from ganzfeld.inside.page.shelf import PAGE, add_section

__all__ = ["PAGE", "PageImage", "Section", "add_section"]
