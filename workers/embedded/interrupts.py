"""Interrupts: Ctrl-C, a polite kill or a closed terminal, turned into one exception where it is safe."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """Someone asked us to stop. `status` is what a shell expects of a program that a signal ended."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(f"interrupted by {number.name}")
        self.number = number
        self.status = 128 + number


class Interrupts:
    """While open, a signal raises Interrupted in the main thread, unless it comes while that is deferred."""

    def __init__(self) -> None:
        self._deferred = 0
        self._pending: signal.Signals | None = None
        self._restore = contextlib.ExitStack()

    def __enter__(self) -> Self:
        for number in SIGNALS:
            # A program under nohup was told to outlive its terminal.
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue
            self._restore.callback(signal.signal, number, signal.signal(number, self._handle))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore.close()

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Hold interrupts back while something must not be torn in two; the next `check` raises them."""
        self._deferred += 1
        try:
            yield
        finally:
            self._deferred -= 1

    def check(self) -> None:
        """Raise an interrupt that was held back."""
        if self._pending is not None and not self._deferred:
            number, self._pending = self._pending, None
            raise Interrupted(number)

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 -- the signal module's
        self._pending = signal.Signals(number)
        self.check()
