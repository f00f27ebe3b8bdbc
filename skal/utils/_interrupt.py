# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Ctrl-C that cannot be swallowed."""

import contextlib
import signal
import threading


@contextlib.contextmanager
def reraise_interrupt():
    """Raise KeyboardInterrupt at the end of a block that swallowed a Ctrl-C.

    skorch catches KeyboardInterrupt in `fit` and returns as if training had ended; its
    callbacks raise the same exception to stop early. Only the signal itself tells the
    two apart, so the handler in force is wrapped for the length of the block: it notes
    that SIGINT came, then does what it did before. Outside the main thread Python
    delivers no signal and the block runs as it is.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(
        handler
    ):
        yield
        return
    arrived = []

    def note(signum, frame):
        arrived.append(signum)
        handler(signum, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if arrived:
        raise KeyboardInterrupt
