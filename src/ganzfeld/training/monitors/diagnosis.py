"""What the doctor says while a training goes on."""

import contextlib

from ganzfeld.errors import GanzfeldError
from ganzfeld.health import Diagnosis
from ganzfeld.printable import in_shell
from ganzfeld.runs.run import Run
from ganzfeld.training.auto.policy import is_decided, prescription
from ganzfeld.training.callbacks import TrainCallback


class DiagnosisMonitor:
    """Asks the doctor after every examination of a run, and tells the watcher of every new finding, once.

    Of a run that is looked after (``attended``), ``over`` says when there is something to decide; of one that
    ``ends_on_decay``, ``decayed`` says why once it is so.
    """

    def __init__(
        self, run: Run, callback: TrainCallback, *, attended: bool = False, ends_on_decay: bool = False
    ) -> None:
        self._run, self._journal = run, run.follow_journal()
        self._attended, self._ends_on_decay = attended, ends_on_decay
        self.over = False
        self.decayed = ""
        self._callback = callback
        self._told: set[str] = set()
        self.state = ""
        """A few words on whether it is well; empty while that is not known."""

    def hold(self, *, judged: bool = False) -> None:
        """Ask about the run as it is written down; what cannot be read leaves what was said before.

        ``judged``: it has just been. What was judged before a run went on does not end it again.
        """
        with contextlib.suppress(GanzfeldError):
            verdict = self._run.diagnose(self._journal.read())
            self.state = verdict.state
            # What is known from the images alone was told before training.
            new = [each for each in verdict.findings if each.since_images and each.name not in self._told]
            self._told |= {each.name for each in new}
            if new:
                names = ", ".join(f"{each.name} since {each.since_images:,} images" for each in new)
                self._callback.noted(f"{names}: ganzfeld doctor {in_shell(self._run.path)}")
            if self._attended:
                decided, next_trial = is_decided(self._run, verdict), prescription(self._run, verdict)
                self.over = decided or next_trial is not None
            if self._ends_on_decay and judged:
                self.decayed = _decay(verdict)


def _decay(verdict: Diagnosis) -> str:
    """What has become worse than it was; empty where nothing has."""
    return next((each.evidence[0].text for each in verdict.findings if each.name == "late-decay"), "")
