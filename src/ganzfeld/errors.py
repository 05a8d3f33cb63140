"""The exception tree: each error says what was given, what was expected and what to do next.

    GanzfeldError
    ├── UsageError        2   an invalid name, number or combination of options
    ├── DataError         3   the images cannot be used
    ├── TrainingFailed    4   training diverged, or a number in it is no longer finite
    ├── DamagedError      5   a run folder or a model file is damaged
    ├── ResourceError     6   a resource is missing or full: disk, memory, device, permission
    ├── Interrupted  129, 130, 143   a signal ended the command, after saving
    └── Followed       any   rank 0 exited with this code; its message gives the reason

The number is the exit code of the command line. An error of any other type is a bug in this package.
"""


class GanzfeldWarning(UserWarning):
    """Something needs attention but is no reason to stop; the command line prints it on one line."""


class GanzfeldError(Exception):
    """Root of all errors meant for the user.

    ``message`` is one sentence that says what is wrong; ``hint`` says what to do about it, or is empty.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(hint)  # so that a traceback shows it too


class UsageError(GanzfeldError, ValueError):
    """A name, a number or a combination of options is invalid (exit code 2)."""

    exit_code = 2


class DataError(GanzfeldError):
    """The images cannot be used (exit code 3)."""

    exit_code = 3


class TrainingFailed(GanzfeldError):
    """Training diverged, or a number in it is no longer finite (exit code 4)."""

    exit_code = 4


class DamagedError(GanzfeldError):
    """A run folder or a model file is damaged (exit code 5)."""

    exit_code = 5


class ResourceError(GanzfeldError):
    """A resource is missing or full: disk, memory, device, permission (exit code 6)."""

    exit_code = 6


class Interrupted(GanzfeldError):
    """SIGINT, SIGTERM or SIGHUP ended the command after saving (exit code: 128 + the signal number)."""

    def __init__(self, message: str, hint: str = "", *, signal_number: int) -> None:
        super().__init__(message, hint)
        self.exit_code = 128 + signal_number


class Followed(GanzfeldError):
    """Rank 0 exited with this exit code; its own message gives the reason."""

    def __init__(self, message: str, hint: str = "", *, exit_code: int) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code
