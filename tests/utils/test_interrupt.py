# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Ctrl-C cannot be swallowed, a callback's own KeyboardInterrupt can."""

import signal
import threading

import pytest

from skal.utils._interrupt import reraise_interrupt


def swallow(action):
    try:
        action()
    except KeyboardInterrupt:
        return


def ctrl_c():
    signal.raise_signal(signal.SIGINT)


def stop_early():
    raise KeyboardInterrupt


def test_a_swallowed_signal_is_raised_again():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), reraise_interrupt():
        swallow(ctrl_c)
    assert signal.getsignal(signal.SIGINT) is before


def test_an_exception_without_a_signal_stays_swallowed():
    went_on = False
    with reraise_interrupt():
        swallow(stop_early)
        went_on = True
    assert went_on


def test_other_errors_pass_through_and_the_handler_is_put_back():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError, match="other"), reraise_interrupt():
        raise RuntimeError("other")
    assert signal.getsignal(signal.SIGINT) is before


def test_nested_blocks_raise_through():
    with pytest.raises(KeyboardInterrupt), reraise_interrupt(), reraise_interrupt():
        swallow(ctrl_c)


def test_outside_the_main_thread_the_block_just_runs():
    done = []

    def work():
        with reraise_interrupt():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
