"""The diagnosis monitor: what the doctor finds while a run trains."""

import contextlib

from ganzfeld.errors import GanzfeldError
from ganzfeld.health import Diagnosis
from ganzfeld.printable import in_shell
from ganzfeld.runs.run import Run
from ganzfeld.training.auto.policy import is_decided, next_trial
from ganzfeld.training.callbacks import TrainCallback


class DiagnosisMonitor:
    """Diagnoses a run after every reading of its health, and notes every new finding once.

    With ``auto``, ``over`` becomes true when the auto driver has something to decide. With ``ends_on_decay``,
    ``decayed`` becomes the reason to end the run once its quality has decayed.
    """

    def __init__(
        self, run: Run, callback: TrainCallback, *, auto: bool = False, ends_on_decay: bool = False
    ) -> None:
        self._run, self._journal = run, run.follow_journal()
        self._auto, self._ends_on_decay = auto, ends_on_decay
        self.over = False
        self.decayed = ""
        self._callback = callback
        self._noted: set[str] = set()
        self.state = ""
        """Whether the run is healthy, in a few words; empty while that is unknown."""

    def update(self, *, has_new_score: bool = False) -> None:
        """Diagnose the run from its journal; if that cannot be read, keep the last diagnosis.

        ``has_new_score``: quality was just measured. An older score does not end a resumed run again.
        """
        with contextlib.suppress(GanzfeldError):
            diagnosis = self._run.diagnose(self._journal.read())
            self.state = diagnosis.state
            # Findings since 0 images come from the dataset alone and were noted before training.
            new = [
                finding
                for finding in diagnosis.findings
                if finding.since_images and finding.name not in self._noted
            ]
            self._noted |= {finding.name for finding in new}
            if new:
                names = ", ".join(f"{finding.name} since {finding.since_images:,} images" for finding in new)
                self._callback.noted(f"{names}: ganzfeld doctor {in_shell(self._run.path)}")
            if self._auto:
                has_next = next_trial(self._run, diagnosis) is not None
                self.over = is_decided(self._run, diagnosis) or has_next
            if self._ends_on_decay and has_new_score:
                self.decayed = _decay(diagnosis)


def _decay(diagnosis: Diagnosis) -> str:
    """Return the evidence that quality has decayed; an empty string if it has not."""
    findings = (finding for finding in diagnosis.findings if finding.name == "late-decay")
    return next((finding.evidence[0].text for finding in findings), "")
