"""What is told of a run's health while it trains, and what the report shows of it."""

from dataclasses import replace

from ganzfeld.health import diagnose
from ganzfeld.runs.report.charts import HEIGHT, WIDTH, charts_of
from ganzfeld.training.callbacks import Watcher
from ganzfeld.training.monitors.diagnosis import Consultation
from tests.health.cases import HEALTHY, case_of, turning


class Listener(Watcher):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def noted(self, text: str) -> None:
        self.heard.append(text)


class Patient:
    """Stands for a run whose journal grows."""

    def __init__(self, tmp_path) -> None:
        self.path = tmp_path / "a run"
        self.case = case_of({"diversity": []})

    def diagnose(self):
        return diagnose(self.case)


def test_every_finding_is_told_once(tmp_path):
    run, listener = Patient(tmp_path), Listener()
    consultation = Consultation(run, listener)  # pyright: ignore[reportArgumentType]
    states = []
    for seen in range(1, 21):
        run.case = case_of({"diversity": turning(0.1)[:seen]}, num_pictures=100)
        consultation.hold()
        states.append(consultation.state)
    assert states[11] == "too-few-pictures"
    assert states[-1] == "mode-collapse since 1,300 pictures and 1 more"
    assert listener.heard == [f"mode-collapse since 1,300 pictures: ganzfeld doctor '{run.path}'"]


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
