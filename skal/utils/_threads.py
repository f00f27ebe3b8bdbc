# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Threads of the libraries underneath."""

import contextlib
import threading

from threadpoolctl import threadpool_limits

_TURN = threading.Lock()


@contextlib.contextmanager
def one_thread():
    """Compute in one thread, so that results are the same however tasks are spread.

    Torch has one generator and one number of threads per process: tasks take turns.
    """
    import torch

    with _TURN:
        n_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with threadpool_limits(1):
                yield
        finally:
            torch.set_num_threads(n_threads)
