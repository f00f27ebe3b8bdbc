# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Errors in one line, and the exit codes."""

import concurrent.futures
import contextlib
import os
import sys
import warnings

FAILURE, USAGE, STOPPED = 1, 2, 130

# What bad data, a full disk, a missing package or a killed worker raises. Anything else
# is a mistake in skal, and comes with its traceback.
_EXPECTED = (
    ImportError,
    MemoryError,
    OSError,
    TypeError,
    ValueError,
    concurrent.futures.BrokenExecutor,
)


class UsageError(ValueError):
    """What was typed, or written in a configuration file, cannot be meant.

    Parameters
    ----------
    message : str
    *path : str
        The words that lead to it in a configuration file, the outermost first.
    """

    def __init__(self, message, *path):
        super().__init__(message)
        self.path = path


@contextlib.contextmanager
def reported():
    """Turn errors of the block into one line on stderr and an exit code.

    Raises
    ------
    SystemExit
        With 2 if other arguments or another configuration file are needed, with 1 if
        the data or the run failed, with 130 after Ctrl-C. With SKAL_TRACEBACK=1 in the
        environment errors pass as they are.
    """
    if os.environ.get("SKAL_TRACEBACK") == "1":
        yield
        return
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            yield
        except KeyboardInterrupt:
            _say("Stopped by Ctrl-C.")
            raise SystemExit(STOPPED) from None
        except _EXPECTED as error:
            _say(f"Error: {_in_words(error)}")
            code = USAGE if isinstance(error, UsageError) else FAILURE
            raise SystemExit(code) from error


def _in_words(error):
    if isinstance(error, OSError) and error.strerror:
        words = [error.strerror, error.filename and f": {error.filename}"]
    else:
        words = [str(error) or type(error).__name__]
    notes = [f" {note}" for note in getattr(error, "__notes__", ())]
    return " ".join("".join([*filter(None, words), *notes]).split())


def _show_warning(message, *_args, **_kwargs):
    _say(f"Warning: {' '.join(str(message).split())}")


def _say(line):
    print(line, file=sys.stderr, flush=True)
