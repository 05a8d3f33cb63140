"""Journals of the doctor's tools, made of a few numbers."""

import importlib


def journal(tools, fault: str, readings: list[float], compared: list[float], seed: int = 0):
    entries = [
        {
            "step": 25 * look,
            "images_seen": 800 * look,
            "health": {"diversity": value, "update_ratio_generator": 0.01},
            "compared": {"pixels": distance},
        }
        for look, (value, distance) in enumerate(zip(readings, compared, strict=True), start=1)
    ]
    plan = tools["runs"].Plan("faces", "modern", seed, fault)
    recipe = importlib.import_module("ganzfeld.recipes").resolve().model_dump(mode="json")
    return tools["runs"].Journal(plan, entries, recipe, 5000, 1.0)
