"""Which signals ask us to stop."""

import signal

HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)
"""What a program hears when its terminal is closed; Windows has no such signal."""


def signals_to_heed() -> list[signal.Signals]:
    """SIGINT, SIGTERM and SIGHUP; the last one not where it is ignored, as it is under ``nohup``."""
    is_heard = HANGUP is not None and signal.getsignal(HANGUP) is not signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([HANGUP] if HANGUP is not None and is_heard else [])]
