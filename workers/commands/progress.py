"""What a command says on stderr while it takes longer than two seconds."""

import threading
import time
from types import TracebackType
from typing import Self

import typer

QUIET_SECONDS = 2.0


class Progress:
    """Phases of a command, one line each; the first ones, if they are quick, are never shown."""

    def __init__(self, *, quiet_seconds: float = QUIET_SECONDS) -> None:
        """Say nothing for `quiet_seconds`."""
        self._begun = time.monotonic()
        self._lock = threading.Lock()
        self._phase: str | None = None
        self._speaks = False
        self._timer = threading.Timer(quiet_seconds, self._begin_to_speak)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()

    def phase(self, text: str) -> None:
        """Begin a phase; the one before is over. The same text again says nothing new."""
        with self._lock:
            if text == self._phase:
                return
            self._phase = text
            if self._speaks:
                self._say(text)

    def hush(self) -> None:
        """Say nothing more until the next phase: somebody is asked something."""
        with self._lock:
            self._phase = None

    def _begin_to_speak(self) -> None:
        with self._lock:
            self._speaks = True
            if self._phase is not None:
                self._say(self._phase)

    def _say(self, text: str) -> None:
        typer.echo(f"{time.monotonic() - self._begun:6.1f} s  {text}", err=True)
