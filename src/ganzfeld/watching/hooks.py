"""Hooks that never fail, and that copies of the networks do not take with them."""

from collections.abc import Callable
from typing import Any


class Hook:
    """A function that torch calls, with any arguments; it always returns None.

    If the function raises, ``failed`` is called with the exception, and the loop continues. A copied or saved
    network would hold a copy of everything that the function needs; it gets a hook that does nothing.
    """

    def __init__(self, function: Callable[..., object], failed: Callable[[Exception], object]) -> None:
        self._function, self._failed = function, failed

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Call the function."""
        try:
            self._function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  whatever it is, the loop must continue
            self._failed(error)

    def __deepcopy__(self, memo: object) -> Callable[..., None]:
        return do_nothing

    def __copy__(self) -> Callable[..., None]:
        return do_nothing

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[()]]:
        return _get_do_nothing, ()


def do_nothing(*args: Any, **kwargs: Any) -> None:
    """Stand in the place of a hook in a copy."""


def _get_do_nothing() -> Callable[..., None]:
    return do_nothing
