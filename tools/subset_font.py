"""Make the small font with which the lab draws Chinese, src/ganzfeld/lab/fonts/, from a large one.

    apt-get download fonts-noto-cjk && dpkg -x fonts-noto-cjk_*.deb noto
    python tools/subset_font.py noto/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc

The font holds every Chinese character and mark in the sources of the lab and on its pages, and nothing else;
a test tells when one is missing. Noto Sans CJK is licensed under the SIL Open Font License 1.1; a changed
version must not use a reserved font name, so the subset has a name of its own.
"""

import argparse
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection

ROOT = Path(__file__).parents[1]
LAB = ROOT / "src" / "ganzfeld" / "lab"
FONT = LAB / "fonts" / "ganzfeld-chinese.otf"
FAMILY = "Ganzfeld Chinese"


def characters() -> set[str]:
    """Return the characters beyond Latin and Greek in the sources of the lab and on its Chinese pages."""
    paths = [*LAB.rglob("*.py"), *(ROOT / "docs").rglob("*.zh.md")]
    texts = (path.read_text(encoding="utf-8") for path in paths)
    return {character for text in texts for character in text if character >= "\u2e80"}


def subset(source: Path, wanted: set[str], target: Path) -> None:
    """Write a font with these characters of the simplified Chinese face of a collection."""
    faces = TTCollection(source, recalcTimestamp=False).fonts
    (face,) = [font for font in faces if font["name"].getDebugName(1) == "Noto Sans CJK SC"]
    options = Options(layout_features=[], hinting=False, desubroutinize=True, name_IDs=[0, 13, 14])
    subsetter = Subsetter(options)
    subsetter.populate(text="".join(sorted(wanted)))
    subsetter.subset(face)
    for number, text in ((1, FAMILY), (2, "Regular"), (4, FAMILY), (6, FAMILY.replace(" ", ""))):
        face["name"].setName(text, number, 3, 1, 0x409)
    cff = face["CFF "].cff
    cff.fontNames = [FAMILY.replace(" ", "")]
    cff.topDictIndex[0].FullName = cff.topDictIndex[0].FamilyName = FAMILY
    target.parent.mkdir(exist_ok=True)
    face.save(target)


def main() -> None:
    """Make the font."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="NotoSansCJK-Regular.ttc")
    wanted = characters()
    subset(parser.parse_args().source, wanted, FONT)
    print(f"{FONT.relative_to(ROOT)}: {len(wanted)} characters, {FONT.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
