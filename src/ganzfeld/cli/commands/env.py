"""``ganzfeld env``."""

import os
from pathlib import Path
from typing import Any

from ganzfeld.cli.speech import Json, show_result


def command(json: Json = False) -> None:
    """Show versions, device, precision, threads and write access.

    Example: ganzfeld env --json
    """
    import platform

    import torch

    import ganzfeld
    from ganzfeld.compute.engine import choose_engine, num_threads
    from ganzfeld.system import num_cores

    engine = choose_engine()
    rows: dict[str, Any] = {
        "ganzfeld": ganzfeld.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": platform.platform(),
        "device": str(engine.device),
        "device_name": _device_name(engine.device),
        "precision": engine.precision,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": num_threads(),
        "cores": num_cores(),
        "cache": str(_cache_folder()),
        "cache_writable": _writable(_cache_folder()),
        "runs": str(Path("runs").absolute()),
        "runs_writable": _writable(Path("runs")),
    }
    width = max(map(len, rows))
    show_result(rows, "\n".join(f"{name.ljust(width)}  {value}" for name, value in rows.items()), json)


def _cache_folder() -> Path:
    from ganzfeld.data.cache.store import cache_root

    return cache_root()


def _device_name(device: Any) -> str:
    import platform

    import torch

    return (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else platform.processor() or platform.machine()
    )


def _writable(folder: Path) -> bool:
    """Check whether files can be created in a folder, or in its nearest parent that exists."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
