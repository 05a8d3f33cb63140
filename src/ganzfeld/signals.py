"""The signals that ask this program to stop."""

import signal

HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)
"""The signal that a closing terminal sends; Windows has none."""


def signals_to_handle() -> list[signal.Signals]:
    """Return SIGINT, SIGTERM and SIGHUP, except SIGHUP where it is ignored, as under ``nohup``."""
    is_handled = HANGUP is not None and signal.getsignal(HANGUP) is not signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([HANGUP] if HANGUP is not None and is_handled else [])]
