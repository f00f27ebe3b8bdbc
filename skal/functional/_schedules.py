# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Learning rates over the steps of a training."""

import math

import numpy as np


def cyclic_cosine(n_steps, n_cycles):
    r"""Lay out a learning rate that falls to almost 0 several times.

    Step t of T, in M cycles of :math:`\lceil T / M \rceil` steps (the last one may be
    shorter), uses the part

    .. math:: \frac{1}{2} \left( \cos \frac{\pi \, \bmod(t - 1, \lceil T / M \rceil)}
        {\lceil T / M \rceil} + 1 \right)

    of the highest learning rate.

    Parameters
    ----------
    n_steps : int
        Steps in all, T.
    n_cycles : int
        Cycles, M.

    Returns
    -------
    factors : ndarray of shape (n_steps,), dtype float64
        The part of the highest rate that each step uses: 1 in a cycle's first step,
        never 0.
    ends : ndarray of shape (n_cycles,), dtype int64
        How many steps are done when each cycle ends; the last is `n_steps`.

    Raises
    ------
    ValueError
        If a number is below 1, or the steps do not make so many cycles: 9 steps in
        cycles of ceil(9 / 4) = 3 make three, not four.

    Notes
    -----
    O(n_steps) time and memory.

    References
    ----------
    G. Huang, Y. Li, G. Pleiss, Z. Liu, J. E. Hopcroft and K. Q. Weinberger. Snapshot
    Ensembles: Train 1, Get M for Free. ICLR 2017, equation 2.
    https://arxiv.org/abs/1704.00109

    Examples
    --------
    >>> from skal.functional import cyclic_cosine
    >>> factors, ends = cyclic_cosine(n_steps=5, n_cycles=2)
    >>> factors
    array([1.  , 0.75, 0.25, 1.  , 0.75])
    >>> ends
    array([3, 5])
    """
    if n_steps < 1 or n_cycles < 1:
        raise ValueError(
            "n_steps and n_cycles must be at least 1. Got "
            f"n_steps={n_steps} and n_cycles={n_cycles}."
        )
    length = math.ceil(n_steps / n_cycles)
    n_made = math.ceil(n_steps / length)
    if n_made < n_cycles:
        raise ValueError(
            f"{n_steps} steps in cycles of ceil({n_steps} / {n_cycles}) = {length} "
            f"make {n_made} cycles. Got n_cycles={n_cycles}."
        )
    place = np.arange(n_steps) % length
    ends = np.minimum(length * np.arange(1, n_cycles + 1), n_steps)
    return (np.cos(np.pi * place / length) + 1) / 2, ends
