"""JSON with one meaning, or none."""

import json

import pytest

from ganzfeld.strict_json import DEEPEST, strict_json


def test_json_is_read():
    value = {"a": [1, -2.5, None, True, "ü"], "b": {"a": 2**63 - 1}, "c": -(2**63), "d": 1e308}
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False).encode()):
        assert strict_json(text) == value
    assert strict_json(b"\xef\xbb\xbf" + b'{"a": 1}') == {"a": 1}, "a byte order mark, as Windows writes it"
    assert strict_json('"\\ud83d\\ude00"') == "\U0001f600"
    assert strict_json("[" * DEEPEST + "]" * DEEPEST)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "key 'a' occurs twice"),
        ('{"x": {"a": 1, "a": 1}}', "key 'a' occurs twice"),
        ("NaN", "NaN is not a number"),
        ("[Infinity]", "Infinity is not a number"),
        ("-Infinity", "-Infinity is not a number"),
        ("1e999", "too large"),
        ("9" * 55, "999999999999... of 55 digits has more than 64 bits"),
        ("-" + "9" * 5_000, "more than 64 bits"),
        ("9223372036854775808", "more than 64 bits"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "deep"),
        (b'"\xff"', "not UTF-8"),
        ("{}".encode("utf-16"), "not UTF-8"),
        ('"\\ud800"', "surrogate"),
        ('{"\\udfff": 1}', "surrogate"),
        ("", "Expecting value"),
        ("{} {}", "Extra data"),
    ],
)
def test_anything_else_is_refused_in_words(text, words):
    with pytest.raises(ValueError, match=words.replace(".", "\\.")):
        strict_json(text)


def test_names_that_are_no_text_can_be_allowed():
    assert strict_json('"\\udcff"', undecodable=True) == "\udcff"
