# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Rare classes: how many rows of them were labelled, and were there to choose."""

import numpy as np

from skal.metrics._checks import check_labels


def minority_discovery(batches, minority):
    r"""How many rows of the rare classes have been labelled after each round.

    With :math:`m_t` such rows among the :math:`n_t` of batch t,

    .. math:: M_t = \sum_{s \le t} m_s, \qquad \pi_t = M_t \Big/ \sum_{s \le t} n_s

    Parameters
    ----------
    batches : sequence of array-like
        The labels of the rows of each round of one run, starting with the initial ones.
        :func:`queried_labels` finds them for a simulation.
    minority : label or array-like of labels
        The rare class or classes.

    Returns
    -------
    count : ndarray of shape (n_rounds + 1,), dtype int64
        :math:`M_t`.
    share : ndarray of shape (n_rounds + 1,), dtype float64
        :math:`\pi_t`; nan while nothing is labelled.

    Raises
    ------
    ValueError
        If there is no round, a batch is not one-dimensional, or `minority` is empty or
        holds labels of another kind than those of the batches.

    See Also
    --------
    subpool_composition : The share among the rows that a strategy could choose from.

    Notes
    -----
    O(n) time for n labelled rows. Several runs are averaged by their geometric mean in
    the paper, ``scipy.stats.gmean(shares, axis=0)``, which is 0 where one run has found
    nothing. The paper's code differs: in a round in which a run found no row of a
    class, it leaves the run's count of that class out rather than carry it on, which
    moves its curves, upwards as a rule.

    References
    ----------
    P. Lesci, A. Vlachos. AnchorAL: computationally efficient active learning for large
    and imbalanced datasets. NAACL 2024, Figure 3.
    :doi:`10.18653/v1/2024.naacl-long.467`

    Examples
    --------
    >>> from skal.metrics import minority_discovery
    >>> batches = [["no", "no", "yes", "no"], ["no", "no"], ["yes", "yes"]]
    >>> count, share = minority_discovery(batches, "yes")
    >>> count.tolist(), share.round(3).tolist()
    ([1, 1, 3], [0.25, 0.167, 0.375])
    """
    batches = [check_labels(batch) for batch in batches]
    if not batches:
        raise ValueError("batches must hold the labels of at least one round. Got [].")
    minority = np.atleast_1d(minority)
    if not minority.size:
        raise ValueError("minority must name at least one label. Got none.")
    for batch in batches:
        if len(batch) and _is_text(batch) != _is_text(minority):
            raise ValueError(
                f"minority must hold labels as the batches have them. Got {minority!r} "
                f"and labels such as {batch[:1].tolist()[0]!r}."
            )
    found = [np.isin(batch, minority).sum() for batch in batches]
    count = np.cumsum(found, dtype=np.int64)
    total = np.cumsum([len(batch) for batch in batches])
    return count, np.where(total > 0, count / np.maximum(total, 1), np.nan)


def _is_text(labels):
    return isinstance(labels[0], str)


def subpool_composition(counts):
    r"""Share of each class among the rows that the strategy could choose from.

    Parameters
    ----------
    counts : sequence of array-like of int of shape (C,)
        For each round how many rows of each class the filter left: `subpool_counts` in
        the table of :func:`~skal.simulate`, where an empty entry means no filter.

    Returns
    -------
    shares : ndarray of shape (n_rounds, C), dtype float64
        Each row sums to 1; nan where no filter was at work, as in round 0 of a
        simulation.

    Raises
    ------
    ValueError
        If counts are negative or differ in length, or there are none at all.

    See Also
    --------
    minority_discovery : The share among the rows that were chosen.

    Notes
    -----
    O(n_rounds C) time. The paper averages runs by their geometric mean,
    ``scipy.stats.gmean(shares, axis=0)``.

    References
    ----------
    P. Lesci, A. Vlachos. AnchorAL: computationally efficient active learning for large
    and imbalanced datasets. NAACL 2024, Section 6.1 and Figure 4.
    :doi:`10.18653/v1/2024.naacl-long.467`

    Examples
    --------
    >>> from skal.metrics import subpool_composition
    >>> subpool_composition([[], [6, 2], [9, 1]]).tolist()
    [[nan, nan], [0.75, 0.25], [0.9, 0.1]]
    """
    counts = [np.asarray(of_round) for of_round in counts]
    sizes = {of_round.shape for of_round in counts if of_round.size}
    if len(sizes) != 1 or len(next(iter(sizes))) != 1:
        raise ValueError(
            "counts must hold one number per class for each round, the same classes in "
            f"all, and not be empty in all. Got shapes {sorted(sizes) or 'of no size'};"
            " without a filter there is no subpool."
        )
    shares = np.full((len(counts), *sizes.pop()), np.nan)
    for share, of_round in zip(shares, counts, strict=True):
        if (of_round < 0).any():
            raise ValueError(f"counts must be at least 0. Got {of_round.tolist()}.")
        if of_round.sum() > 0:
            share[:] = of_round / of_round.sum()
    return shares
