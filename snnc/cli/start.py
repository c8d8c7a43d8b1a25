"""The process ``snnc``: its signals, its standard streams and its exit code."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

_INTERRUPTED = 130
_TERMINATED = 143


class _Terminated(BaseException):
    """SIGTERM came: what is under way is undone as after an error."""


def main() -> None:
    """Run the command line of this process and leave with its exit code.

    SIGINT ends it with 130 and SIGTERM with 143, each with one line and no file left, from the first import to the
    last line written. A closed standard stream takes what is written to it and drops it.
    """
    signal.signal(signal.SIGTERM, _terminate)
    _open_closed_streams()
    try:
        # Imports take long enough to be interrupted.
        from .main import run

        code = _flushed(run(sys.argv[1:]))
    except KeyboardInterrupt:
        code = _end("interrupted", _INTERRUPTED)
    except _Terminated:
        code = _end("terminated", _TERMINATED)
    _ignore_signals()
    sys.exit(code)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise _Terminated


def _end(word: str, code: int) -> int:
    _ignore_signals()
    print(word, file=sys.stderr)
    return code


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _open_closed_streams() -> None:
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115 - it stays open to the end


def _flushed(code: int) -> int:
    """The exit code once all is written; 1 where it cannot be."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python would try once more at its end, and print a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            from .main import report_system_error

            return code or report_system_error(error, sys.argv[1:])
    return code
