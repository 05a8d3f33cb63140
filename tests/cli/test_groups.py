"""A group of commands says what it holds, and what it cannot take."""

import pytest

from ganzfeld.cli import main


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lab", "rnu"], ["unknown command 'rnu'", "run"]),
        (["trian"], ["unknown command 'trian'", "train"]),
        (["train", "--minutes", "abc"], ["--minutes cannot be 'abc': Input should be a valid number"]),
    ],
)
def test_what_is_wrong_is_named(capsys, arguments, words):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr().err
    assert ended.value.code == 2 and all(each in said for each in words)
    assert "bench" not in said


def test_a_group_alone_shows_its_help(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["lab"])
    assert ended.value.code == 0 and capsys.readouterr().out.startswith("Usage: ganzfeld lab")
