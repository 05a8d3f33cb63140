"""Parts of ``tools/on_gpu.py`` without a command of Ganzfeld: the machine, the images, and a profile.

    python tools/gpu_parts.py machine|faces|profile [--rehearse]

Each part prints one JSON object per line; the last one counts.
"""

import json
import os
import sys
import time
from typing import Any


def build_faces() -> None:
    """Build the built-in images in the cache, so that no later part has to."""
    from ganzfeld.data import open_images

    begun = time.perf_counter()
    dataset = open_images(None, size=(64, 64))
    print(json.dumps({"num_images": dataset.num_pictures, "seconds": round(time.perf_counter() - begun, 1)}))


def describe_machine() -> None:
    """Print a description of the machine."""
    import platform

    import torch

    found: dict[str, Any] = {
        "cuda": torch.cuda.is_available(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
    }
    if found["cuda"]:
        properties = torch.cuda.get_device_properties(0)
        found |= {"gpu": properties.name, "memory_gib": round(properties.total_memory / 2**30, 1)}
        found |= {"cuda_version": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
        found["product"] = float(
            (torch.ones(64, 64, device="cuda") @ torch.ones(64, 64, device="cuda")).sum()
        )
    print(json.dumps(found))


def profile(rehearse: bool) -> None:
    """Print the cost of a step, on the GPU and on the wall clock, after each route and batch size."""
    found: dict[str, Any] = {}
    for way in ("plain", "usual", "recorded"):  # the last may spoil the GPU for its process
        for batch in (2,) if rehearse else (8, 128):
            try:
                found[f"modern {batch} {way}"] = profiled(batch, way, 4 if rehearse else 40)
            except RuntimeError as error:
                found[f"modern {batch} {way}"] = {"error": str(error).splitlines()[0]}
            print(json.dumps(found), flush=True)


def profiled(batch: int, way: str, steps: int) -> dict[str, Any]:
    """Return the milliseconds of a step, and those of its largest kernels."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    from ganzfeld.compute.engine import wait_for

    trainer = trainer_by(batch, way)
    device = trainer.engine.device
    for _ in range(20 if steps > 4 else 1):
        trainer.advance()
    wait_for(device)
    begun = time.perf_counter()
    for _ in range(steps):
        trainer.advance()
    asked = time.perf_counter() - begun
    wait_for(device)
    wall = time.perf_counter() - begun
    activity = ProfilerActivity.CUDA if device.type == "cuda" else ProfilerActivity.CPU
    with profiler(activities=[activity]) as seen:
        for _ in range(steps):
            trainer.advance()
        wait_for(device)
    return {
        "wall_ms": round(1e3 * wall / steps, 3),
        "asking_ms": round(1e3 * asked / steps, 3),
        **kernels_of(seen, steps, device.type),
    }


def trainer_by(batch: int, way: str) -> Any:
    """Return a trainer of the default recipe, for one batch size and one route."""
    from ganzfeld.compute.fast_path import PLAIN, USUAL
    from ganzfeld.options import TrainOptions
    from ganzfeld.training.setup import resolve_options

    route = "plain" if way == "plain" else "channels-last,one-pass,shared-backward,shared-penalties"
    trainer = resolve_options(TrainOptions(recipe="modern", batch=batch, images=1, route=route)).build()
    trainer.take((PLAIN if way == "plain" else USUAL).model_copy(update={"recorded": way == "recorded"}))
    return trainer


def kernels_of(seen: Any, steps: int, device: str) -> dict[str, Any]:
    """Return the time and number of kernels in a step, and the ten that take longest."""
    side = "CUDA" if device == "cuda" else "CPU"
    rows = [each for each in seen.key_averages() if each.device_type.name == side]
    took = {
        id(each): each.self_device_time_total if side == "CUDA" else each.self_cpu_time_total for each in rows
    }
    rows.sort(key=lambda each: took[id(each)], reverse=True)
    return {
        "kernel_ms": round(sum(took.values()) / 1e3 / steps, 3),
        "kernels": round(sum(each.count for each in rows) / steps, 1),
        "top": [
            [each.key[:90], round(took[id(each)] / 1e3 / steps, 4), each.count / steps] for each in rows[:10]
        ],
    }


def main() -> None:
    """Run one part."""
    part, rehearse = sys.argv[1], "--rehearse" in sys.argv
    parts = {"machine": describe_machine, "faces": build_faces, "profile": lambda: profile(rehearse)}
    parts[part]()


if __name__ == "__main__":
    main()
