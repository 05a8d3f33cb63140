"""What is told of a run's health while it trains, and what the report shows of it."""

from dataclasses import replace

import pytest

import ganzfeld as gz
from ganzfeld.errors import DamagedError
from ganzfeld.health import diagnose
from ganzfeld.runs.journal import Journal
from ganzfeld.runs.journal_reader import JournalReader
from ganzfeld.runs.report.charts import HEIGHT, WIDTH, charts_of
from ganzfeld.training.callbacks import TrainCallback
from ganzfeld.training.monitors.diagnosis import DiagnosisMonitor
from tests.health.cases import HEALTHY, case_of, turning
from tests.training.conftest import small


class Listener(TrainCallback):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def noted(self, text: str) -> None:
        self.heard.append(text)


class ProbeContext:
    """Stands for a run whose journal grows."""

    def __init__(self, tmp_path) -> None:
        self.path = tmp_path / "a run"
        self.case = case_of({"diversity": []})

    def follow_journal(self):
        return JournalReader(self.path / "journal.jsonl")

    def diagnose(self, entries):
        return diagnose(self.case)


def test_every_finding_is_told_once(tmp_path):
    run, listener = ProbeContext(tmp_path), Listener()
    diagnosis_monitor = DiagnosisMonitor(run, listener)  # pyright: ignore[reportArgumentType]
    states = []
    for seen in range(1, 21):
        run.case = case_of({"diversity": turning(0.1)[:seen]}, num_pictures=100)
        diagnosis_monitor.update()
        states.append(diagnosis_monitor.state)
    assert states[11] == "too-few-pictures"
    assert states[-1] == "mode-collapse since 1,300 images and 1 more"
    assert listener.heard == [f"mode-collapse since 1,300 images: ganzfeld doctor '{run.path}'"]


def test_a_look_reads_what_is_new(array_file, tmp_path):
    """A line that was read is not read again: that it is no entry any more is not noticed."""
    run = gz.train(array_file, recipe=small(), images=32, out=tmp_path)
    journal = run.path / "journal.jsonl"
    last = run.journal[-1]
    with Journal(run.folder) as open_journal:
        for step in range(100, 400):
            open_journal.write({**last, "step": step, "images_seen": 8 * step})
        diagnosis_monitor = DiagnosisMonitor(run, TrainCallback())
        diagnosis_monitor.update()
        content = journal.read_bytes()
        middle = content.index(b"\n", len(content) // 2) + 1
        with journal.open("r+b") as file:
            file.seek(middle)
            file.write(b"x")
        diagnosis_monitor.state = "none"
        open_journal.write({**last, "step": 400, "images_seen": 3200})
        diagnosis_monitor.update()
    assert diagnosis_monitor.state != "none"
    with pytest.raises(DamagedError):
        run.diagnose()


def test_a_chart_of_every_reading():
    case = case_of({"diversity": turning(0.1), "overlap": [HEALTHY] * 20, "once": [1.0]})
    charts = charts_of(case, diagnose(case).findings)
    assert [chart.name for chart in charts] == ["diversity", "overlap"]
    wrong, well = charts
    assert wrong.findings == ("mode-collapse",)
    assert wrong.wrong == WIDTH * 1300 / 2000
    assert (well.findings, well.wrong) == ((), None)
    for chart in charts:
        places = [tuple(map(float, point.split(","))) for point in chart.line.split()]
        assert len(places) == 20 and places[-1][0] == WIDTH
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
        assert len(chart.bands) == 2, "one for each phase of training"


def test_the_axis_of_a_chart_reaches_to_where_the_reading_stands():
    case = case_of({"diversity": [0.2, 0.4], "overlap": [0.5] * 200 + [0.1]})
    rising, peak = charts_of(replace(case, limits={}), ())
    assert (rising.last, rising.high) == ("0.4", "0.4")
    assert (peak.last, peak.low) == ("0.1", "0.1")


def test_what_was_not_finite_leaves_a_gap():
    case = case_of({"diversity": [HEALTHY, None, HEALTHY]})
    (chart,) = charts_of(replace(case, limits={}), ())
    assert len(chart.line.split()) == 2
    assert chart.bands == ()
