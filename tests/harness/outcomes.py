"""How a program ended, what a requirement is, and the one way to let time pass."""

import dataclasses
import time

PAUSE = 0.05  # seconds between two looks of wait_for


class Skip(Exception):
    """The run is not possible here; the text says why."""


class Failed(AssertionError):
    """A requirement does not hold, or a figure cannot be had; the text says which."""


@dataclasses.dataclass
class Result:
    """How a program ended. `code` is negative when a signal ended it, as in subprocess."""

    code: int
    out: str
    err: str

    @property
    def text(self):
        return self.out + self.err


def check(condition, what):
    if not condition:
        raise Failed(what)


def check_equal(got, expected, what):
    if got != expected:
        raise Failed(f"{what}: got {got!r}, expected {expected!r}")


def wait_for(condition, what, deadline=60.0, pause=PAUSE):
    """Calls `condition` every `pause` seconds until it returns something true, which is returned.

    The only place that lets time pass: a run waits for a state, never for a duration.
    Raises Failed after `deadline` seconds, naming `what` was awaited.
    """
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"no {what} within {deadline:g} s")
        time.sleep(pause)


def bound(text):
    """The last 60 lines of `text`, for a report."""
    return "\n".join(text.splitlines()[-60:])
