"""``ganzfeld plan`` with a kernel and a stride for every layer."""

import json

import pytest

from tests.cli.test_cli import call


def planned(*words: object) -> list[dict]:
    code, said, _ = call("plan", *words, "--json")
    assert code == 0
    return json.loads(said)["generator"]["layers"]


def test_kernel_and_stride_are_those_of_every_layer():
    layers = planned(4096, "--dims", 1, "--kernel", 24, "--stride", 4, "--channels", 4)
    assert [layer["size"] for layer in layers] == [[16], [64], [256], [1024], [4096]]
    assert {(*layer["kernel"], *layer["stride"], *layer["padding"]) for layer in layers} == {(24, 4, 10)}
    assert planned(64, "--stride", 4)[0]["kernel"] == [8, 8], "two strides by default"
    assert planned(81, "--stride", 3)[0]["kernel"] == [9, 9], "three where the stride is odd"
    assert planned(64, "--kernel", 6)[0]["stride"] == [2, 2]


def test_a_recipe_of_another_kind_has_its_own_axes_and_layers(tmp_path):
    file = tmp_path / "long.json"
    fields = {"kind": "sequence", "size": 4096, "kernel": 24, "stride": 4}
    file.write_text(json.dumps({"base": "modern", "name": "long"} | fields))
    layers = planned(1024, "--recipe", file)
    assert [layer["size"] for layer in layers] == [[16], [64], [256], [1024]]
    assert layers[0]["kernel"] == [24]
    assert planned(64, "--recipe", file, "--ladder", "64,8")[0]["kernel"] == [8]
    assert len(planned("64x64", "--recipe", file)[0]["size"]) == 2, "a size with axes decides itself"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["64", "--kernel", "3"], "kernel 3 and stride 2 do not fit"),
        (["64", "--stride", "3"], "a size must be a multiple of the stride"),
        (["64", "--kernel", "4", "--ladder", "64,8"], "a ladder of sizes decides its kernels"),
    ],
)
def test_mistakes(words: list[str], said: str):
    code, _, complaint = call("plan", *words)
    assert code == 2 and said in complaint
