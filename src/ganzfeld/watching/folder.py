"""The folder of a loop that is watched: when lines, readings and images are due, and how they are written."""

import contextlib
import math
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import ganzfeld
from ganzfeld.compute.engine import chip_of, num_threads
from ganzfeld.data import ImageDataset, open_images
from ganzfeld.data.check.survey import survey
from ganzfeld.data.order import evenly_spaced
from ganzfeld.durable import make_folder
from ganzfeld.errors import UsageError
from ganzfeld.health.forward_trace import has_batch_statistics
from ganzfeld.model import grid, png
from ganzfeld.printable import in_shell
from ganzfeld.progress import tell
from ganzfeld.runs.journal import Journal
from ganzfeld.runs.metadata import Environment, timestamp
from ganzfeld.runs.report.report import write_report
from ganzfeld.runs.watched_run import WatchedMetadata, WatchedNetworkCard, WatchedRun
from ganzfeld.training.callbacks import Pace, TrainCallback
from ganzfeld.training.clock import Due, Stopwatch
from ganzfeld.training.monitors.diagnosis import DiagnosisMonitor
from ganzfeld.watching.calls import Side
from ganzfeld.watching.monitor import LoopMonitor
from ganzfeld.watching.recorder import Recorder

IMAGES_PER_GRID, GRID_COLUMNS = 64, 8
GRID_COST = 0.005
"""The largest share of the time for sample grids."""

GATHERING_STEPS = 16
"""Steps for which the first readings wait for the fixed latents and images."""

LEAD_UPDATES = 80
"""Updates of the discriminator before readings during which it is recorded; they need 64."""

Data = str | os.PathLike[str] | ImageDataset | None


class _Printed(TrainCallback):
    """Prints what the diagnosis notes."""

    def noted(self, text: str) -> None:
        """Print a note."""
        tell(f"gz.watch: {text}")


class WatchFolder:
    """Writes the folder of a loop; ``begin`` makes it. ``close`` must be called in the end."""

    def __init__(self, run: WatchedRun, monitor: LoopMonitor, recorder: Recorder, pace: Pace) -> None:
        self._run, self.monitor, self._recorder = run, monitor, recorder
        self._open = contextlib.ExitStack()
        self._open.enter_context(run.writing())
        self._journal = self._open.enter_context(Journal(run.folder))
        self._diagnosis = DiagnosisMonitor(run, _Printed())
        self._line_due = Due(pace.progress_every_s)
        self._grid_due = Due(pace.grid_every_s, pace.grid_every_share)
        self._grid_every_s = pace.grid_every_s
        self._losses: tuple[Any, Any] = (None, None)
        self._step = 0
        self._written: tuple[int, bool] = (-1, False)
        self._first_rate: float | None = None

    @classmethod
    def begin(
        cls, out: Path, data: Data, recorder: Recorder, pace: Pace, note: Callable[[str], object]
    ) -> "WatchFolder":
        """Open the data at the size of the generator's images, and make the folder.

        Raises ``UsageError`` if the loop does not call the networks, or data and images do not fit, and the
        errors of ``open_images``.
        """
        dataset = _open_data(data, recorder)
        make_folder(out.parent)
        try:
            make_folder(out, exist_ok=False)
        except FileExistsError:
            raise exists_already(out) from None
        run = WatchedRun(out)
        monitor = LoopMonitor(recorder, dataset, pace, note)
        folder = cls(run, monitor, recorder, pace)
        try:
            run.write_metadata(_metadata_of(data, dataset, recorder, monitor))
            indices = evenly_spaced(dataset.num_pictures, IMAGES_PER_GRID)
            run.folder.write_bytes("reals.png", png(grid(dataset.batch(indices), GRID_COLUMNS)))
        except BaseException:
            folder.close()
            raise
        return folder

    def note_step(
        self, images_seen: int, num_steps: int, losses: tuple[Any, Any], stopwatch: Stopwatch
    ) -> None:
        """Note a step of the loop, and do the work that is due."""
        recorder = self._recorder
        self._losses = losses
        # A loop that updates its discriminator several times in a step makes as many steps of Ganzfeld.
        self._step = max(num_steps, recorder.num_updates["discriminator"])
        recorder.end_of_step()
        window = recorder.window
        if window is not None:
            window.num_steps += 1
            self.monitor.gather()
        seconds = stopwatch.seconds
        reads = False
        recorder.listen(seconds + self._lead_s(seconds) >= self.monitor.next_s)
        if self.monitor.due(seconds):
            if window is None:
                recorder.open_window()
            else:
                waits = not self.monitor.can_pass and window.num_steps < GATHERING_STEPS
                reads = window.is_full and not waits
        if reads or self._line_due(seconds):
            with stopwatch.paused():
                self._write(images_seen, seconds, reads=reads, everything=False)
        if self.monitor.can_pass and self._grid_due(seconds):
            with stopwatch.paused():
                begun = time.perf_counter()
                self._draw(images_seen)
                self._grid_due.spacing = max(self._grid_every_s, (time.perf_counter() - begun) / GRID_COST)

    def end(self, images_seen: int, stopwatch: Stopwatch, failure: str) -> None:
        """Take the last readings, and write verdict and report."""
        run = self._run
        seconds = stopwatch.seconds
        stopwatch.stop()
        try:
            if self._written != (images_seen, True):
                self._write(images_seen, seconds, reads=True, everything=True)
            self._draw(images_seen)
        finally:
            run.write_metadata(run.watched.changed(ended=timestamp(), failure=failure))
            verdict = run.diagnose()
            run.write_verdict(verdict)
            write_report(run)
            tell(f"gz.watch: {verdict.sentence}: ganzfeld doctor {in_shell(run.path)}")

    def close(self) -> None:
        """Close the journal, and release the folder."""
        self._open.close()

    def keep_note(self, text: str) -> None:
        """Add a note to ``run.json``."""
        with contextlib.suppress(Exception):  # the note was printed, which matters more
            watched = self._run.watched
            self._run.write_metadata(watched.changed(notes=(*watched.notes, text)))

    def _write(self, images_seen: int, seconds: float, *, reads: bool, everything: bool) -> None:
        """Write a line of the journal, with readings if ``reads``; then diagnose."""
        outputs = self._recorder.outputs
        entry: dict[str, Any] = {
            "step": self._step,
            "images_seen": images_seen,
            "seconds": round(seconds, 3),
            "rate": self._rate(),
            "loss_generator": _number(self._losses[0]),
            "loss_discriminator": _number(self._losses[1]),
        }
        if outputs and self._recorder.listening:
            names = ("logit_real", "logit_fake")
            entry |= {
                name: float(output.float().mean()) for name, output in zip(names, outputs[-1], strict=True)
            }
        if reads:
            entry["health"] = self.monitor.take_readings(seconds, everything)
            self._describe()
        self._journal.write(entry)
        self._written = images_seen, reads and everything
        if reads:
            self._diagnosis.update()

    def _lead_s(self, seconds: float) -> float:
        """Return how long before readings are due the calls of the loop must be recorded."""
        updates = self._recorder.num_updates["discriminator"]
        return LEAD_UPDATES * seconds / updates if updates else math.inf

    def _rate(self) -> float:
        """Return the generator's learning rate as a share of its first one; 1 if it is not known."""
        optimizer = self._recorder.optimizers["generator"]
        if optimizer is None:
            return 1.0
        rate = float(optimizer.param_groups[0]["lr"])
        self._first_rate = self._first_rate or rate
        return rate / self._first_rate if self._first_rate else 1.0

    def _describe(self) -> None:
        """Complete ``run.json`` once more is known of the networks."""
        before = self._run.watched
        now = before.changed(**_known(self._recorder, self.monitor))
        if now != before:
            self._run.write_metadata(now)

    def _draw(self, images_seen: int) -> None:
        """Write the images of the fixed latents as a sample grid."""
        images = self.monitor.images()
        if images is None:
            return
        content = png(grid(self.monitor.bytes_of(images), GRID_COLUMNS))
        self._run.write_sheet(images_seen, content, lambda text: tell(f"gz.watch: {text}"))


def exists_already(out: Path) -> UsageError:
    """Return the error for a folder that exists, with a free name."""
    number = 2
    while (other := out.with_name(f"{out.name}-{number:03d}")).exists():
        number += 1
    return UsageError(
        f"{out} exists already, and gz.watch writes only into a folder of its own",
        f"Give another name, such as {other}; nothing is overwritten.",
    )


def _open_data(data: Data, recorder: Recorder) -> ImageDataset:
    """Open the data at the size of the generator's images."""
    silent: list[str] = [f"the {side}" for side, num in recorder.num_calls.items() if not num]
    if silent:
        raise UsageError(
            f"the loop has made a step, but has not called {' and '.join(silent)} given to gz.watch",
            "Give the modules that the loop calls: not copies, and not modules inside of them.",
        )
    call = recorder.last_generated
    if call is None:
        raise UsageError(
            "the generator given to gz.watch does not return images (B, C, H, W)",
            "Give a generator of images; see the note above for what it returned.",
        )
    channels, height, width = call.batch.images.shape[1:]
    if channels not in (1, 3):
        raise UsageError(
            f"the generator makes images with {channels} channels, but images of data have 1 or 3",
            "gz.watch reads loops on grey or colour images.",
        )
    if not isinstance(data, ImageDataset):
        return open_images(data, size=(width, height), channels=channels)
    shape = (channels, height, width)
    of_data = (data.channels, data.size[1], data.size[0])
    if of_data != shape:
        made, stored = ("x".join(map(str, each)) for each in (shape, of_data))
        raise UsageError(
            f"the generator makes images of {made} (channels, height, width), but those of data are {stored}",
            f"Open the data with gz.open_images(..., size=({width}, {height}), channels={channels}), or give "
            "its path.",
        )
    return data


def _metadata_of(
    data: Data, dataset: ImageDataset, recorder: Recorder, monitor: LoopMonitor
) -> WatchedMetadata:
    place = dataset.place_of_all if isinstance(data, ImageDataset) else data
    is_built_in = data is None or not Path(os.fspath(place or "")).exists()
    device = monitor.device
    return WatchedMetadata(
        data=None if is_built_in else str(Path(os.fspath(place or "")).absolute()),
        name=dataset.name,
        num_pictures=dataset.num_pictures,
        channels=dataset.channels,
        size=(dataset.size[0], dataset.size[1]),
        content_hash=dataset.content_hash,
        class_names=tuple(dataset.class_names),
        credit=dataset.credit,
        num_unusable=len(dataset.unusable),
        num_duplicates=survey(dataset).num_redundant,
        circumstances=Environment(
            ganzfeld=ganzfeld.__version__,
            torch=torch.__version__,
            python=platform.python_version(),
            device=str(device),
            chip=chip_of(device),
            precision="float32",
            threads=num_threads(),
        ),
        started=timestamp(),
        **_known(recorder, monitor),
    )


def _known(recorder: Recorder, monitor: LoopMonitor) -> dict[str, Any]:
    """Return the fields of ``run.json`` that become known while the loop runs."""
    anatomy = monitor.anatomy
    width = anatomy.hidden[-1].shape[1] if anatomy and anatomy.hidden else 0
    layers = anatomy.enlargements if anatomy else ()
    return {
        "batch": len(recorder.outputs[-1][0]) if recorder.outputs else 0,
        "num_classes": monitor.num_classes,
        "loss": monitor.loss.name if monitor.loss else None,
        "output": monitor.bounds,
        "generator": _card(recorder, "generator", width),
        "discriminator": _card(recorder, "discriminator"),
        "enlargements": layers,
    }


def _card(recorder: Recorder, side: Side, width: int = 0) -> WatchedNetworkCard:
    network: nn.Module = recorder.networks[side]
    optimizer = recorder.optimizers[side]
    return WatchedNetworkCard(
        network=type(network).__name__,
        num_parameters=sum(weight.numel() for weight in network.parameters()),
        batch_statistics=has_batch_statistics(network),
        width=width,
        optimizer=type(optimizer).__name__ if optimizer else None,
        rate=float(optimizer.param_groups[0]["lr"]) if optimizer else None,
    )


def _number(loss: Any) -> float:
    return float(loss.detach()) if isinstance(loss, Tensor) else float(loss)
