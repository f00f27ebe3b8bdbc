# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""How much several predictive distributions of a row disagree."""

import numpy as np
from scipy.special import entr, rel_entr

from skal.utils._arrays import check_samples


def vote_entropy(samples):
    r"""Entropy of the votes: which class each sample gives the largest probability.

    .. math:: H(V / T), \qquad V_c = \sum_t [\arg\max_{c'} p_{tc'} = c]

    Parameters
    ----------
    samples : array-like of shape (T, n, C)
        Class probabilities of T committee members or dropout masks.

    Returns
    -------
    scores : ndarray of shape (n,), dtype float64
        Between 0 and log(min(T, C)); larger means less agreement.

    Raises
    ------
    ValueError
        If `samples` is not three-dimensional or empty, or an entry is not a
        probability.

    See Also
    --------
    consensus_entropy : Entropy of the mean, which tells sure votes from unsure ones.

    Notes
    -----
    O(T n C) time, O(n C) memory. Of equal probabilities the lowest class gets the vote.

    References
    ----------
    I. Dagan, S. P. Engelson. Committee-based sampling for training probabilistic
    classifiers. ICML 1995 (there scaled to at most 1, which ranks alike).

    Examples
    --------
    >>> from skal.functional import vote_entropy
    >>> samples = [[[0.9, 0.1], [0.9, 0.1]], [[0.6, 0.4], [0.4, 0.6]]]
    >>> vote_entropy(samples).round(3).tolist()
    [0.0, 0.693]
    """
    return entr(_vote_shares(check_samples(samples))).sum(axis=1)


def consensus_entropy(samples):
    r"""Entropy of the mean distribution (predictive entropy, max entropy).

    .. math:: H(\bar p), \qquad \bar p_c = \frac{1}{T} \sum_t p_{tc}

    Parameters
    ----------
    samples : array-like of shape (T, n, C)
        Class probabilities of T committee members or dropout masks.

    Returns
    -------
    scores : ndarray of shape (n,), dtype float64
        Between 0 and log C; larger means more uncertain.

    Raises
    ------
    ValueError
        If `samples` is not three-dimensional or empty, or an entry is not a
        probability.

    See Also
    --------
    bald : This entropy, less the part that all samples agree upon.

    Notes
    -----
    O(T n C) time, O(n C) memory. modAL's example of entropy over dropout samples
    (``mc_dropout_max_entropy``) is in proportion to the mean entropy of the samples,
    which is another quantity.

    References
    ----------
    Y. Gal, R. Islam, Z. Ghahramani. Deep Bayesian active learning with image data. ICML
    2017, Section 4 (max entropy). https://arxiv.org/abs/1703.02910

    Examples
    --------
    >>> from skal.functional import consensus_entropy
    >>> consensus_entropy([[[1.0, 0.0]], [[0.0, 1.0]]]).round(3).tolist()
    [0.693]
    """
    return entr(check_samples(samples).mean(axis=0)).sum(axis=1)


def mean_kl(samples):
    r"""Mean divergence of the samples from their mean distribution.

    .. math:: \frac{1}{T} \sum_t \mathrm{KL}(p_t \,\|\, \bar p)

    Parameters
    ----------
    samples : array-like of shape (T, n, C)
        Class probabilities of T committee members or dropout masks.

    Returns
    -------
    scores : ndarray of shape (n,), dtype float64
        At least 0; larger means less agreement.

    Raises
    ------
    ValueError
        If `samples` is not three-dimensional or empty, or an entry is not a
        probability.

    See Also
    --------
    bald : The same number, by another formula.
    max_kl : That of the sample farthest from the mean.

    Notes
    -----
    O(T n C) time, O(n (T + C)) memory. scikit-activeml clips the probabilities to 1e-7
    first, which moves the score by about as much.

    References
    ----------
    A. K. McCallum, K. Nigam. Employing EM and pool-based active learning for text
    classification. ICML 1998 (KL divergence to the mean).

    Examples
    --------
    >>> from skal.functional import mean_kl
    >>> mean_kl([[[1.0, 0.0]], [[0.0, 1.0]]]).round(3).tolist()
    [0.693]
    """
    return _divergences(check_samples(samples)).mean(axis=0)


def max_kl(samples):
    r"""Divergence from the mean distribution of the sample farthest from it.

    .. math:: \max_t \mathrm{KL}(p_t \,\|\, \bar p)

    Parameters
    ----------
    samples : array-like of shape (T, n, C)
        Class probabilities of T committee members or dropout masks.

    Returns
    -------
    scores : ndarray of shape (n,), dtype float64
        Between 0 and log T; larger means less agreement.

    Raises
    ------
    ValueError
        If `samples` is not three-dimensional or empty, or an entry is not a
        probability.

    See Also
    --------
    mean_kl : The mean in place of the maximum.

    Notes
    -----
    O(T n C) time, O(n (T + C)) memory. No paper states it: it is the max disagreement
    of the library modAL.

    References
    ----------
    T. Danka, P. Horvath. modAL: A modular active learning framework for Python. 2018
    (max disagreement sampling). https://arxiv.org/abs/1805.00979

    Examples
    --------
    >>> from skal.functional import max_kl
    >>> max_kl([[[1.0, 0.0]], [[0.5, 0.5]], [[0.5, 0.5]]]).round(3).tolist()
    [0.405]
    """
    return _divergences(check_samples(samples)).max(axis=0)


def bald(samples):
    r"""Mutual information of a row's label and the model (BALD).

    .. math:: H(\bar p) - \frac{1}{T} \sum_t H(p_t)

    The uncertainty of the mean, less the uncertainty that every sample has by itself.

    Parameters
    ----------
    samples : array-like of shape (T, n, C)
        Class probabilities of T committee members or dropout masks.

    Returns
    -------
    scores : ndarray of shape (n,), dtype float64
        In nats, between 0 and log(min(T, C)); larger means less agreement.

    Raises
    ------
    ValueError
        If `samples` is not three-dimensional or empty, or an entry is not a
        probability.

    See Also
    --------
    mean_kl : The same number, by another formula.
    batch_bald : The information of several labels together.

    Notes
    -----
    O(T n C) time, O(n C) memory. 0 log 0 = 0: the published codes give NaN there, or
    add 1e-8 inside the logarithm. REAL's and CAL's repositories put raw logits where
    log-probabilities belong, and Cartography AL's takes the entropy of the normalised
    geometric mean, which is no mutual information: what these papers report as BALD is
    something else.

    References
    ----------
    N. Houlsby, F. Huszár, Z. Ghahramani, M. Lengyel. Bayesian active learning for
    classification and preference learning. 2011, Equation 2.
    https://arxiv.org/abs/1112.5745

    Examples
    --------
    >>> from skal.functional import bald
    >>> unsure, undecided = [[0.5, 0.5], [0.5, 0.5]], [[1.0, 0.0], [0.0, 1.0]]
    >>> samples = [[a, b] for a, b in zip(unsure, undecided)]
    >>> bald(samples).round(3).tolist()
    [0.0, 0.693]
    """
    samples = check_samples(samples)
    expected = sample_entropies(samples).mean(axis=0)
    return (consensus_entropy(samples) - expected).clip(min=0)


def mean_std(samples):
    r"""Standard deviation over the samples, averaged over the classes.

    .. math:: \frac{1}{C} \sum_c \sqrt{\frac{1}{T} \sum_t (p_{tc} - \bar p_c)^2}

    Parameters
    ----------
    samples : array-like of shape (T, n, C)
        Class probabilities of T committee members or dropout masks.

    Returns
    -------
    scores : ndarray of shape (n,), dtype float64
        Between 0 and 1/2; larger means less agreement.

    Raises
    ------
    ValueError
        If `samples` is not three-dimensional or empty, or an entry is not a
        probability.

    Notes
    -----
    O(T n C) time, O(n C) memory. The variances of baal's ``Variance`` may rank rows
    otherwise: it averages before a square root is taken, and takes none.

    References
    ----------
    Y. Gal, R. Islam, Z. Ghahramani. Deep Bayesian active learning with image data. ICML
    2017, Section 4 (mean STD). https://arxiv.org/abs/1703.02910

    Examples
    --------
    >>> from skal.functional import mean_std
    >>> mean_std([[[1.0, 0.0]], [[0.5, 0.5]]]).tolist()
    [0.25]
    """
    samples = check_samples(samples)
    mean = samples.mean(axis=0)
    variance = np.zeros_like(mean)
    for sample in samples:
        variance += (sample - mean) ** 2
    return np.sqrt(variance / len(samples)).mean(axis=1)


def variation_ratio(samples, kind="votes"):
    r"""How far the samples are from all being for one class.

    .. math:: 1 - \frac{\max_c V_c}{T} \quad\text{(votes)}
        \qquad\text{or}\qquad 1 - \max_c \bar p_c \quad\text{(mean)}

    Parameters
    ----------
    samples : array-like of shape (T, n, C)
        Class probabilities of T committee members or dropout masks.
    kind : {"votes", "mean"}, default="votes"
        "votes" is the share of samples that do not vote for the class with most votes;
        "mean" one less the largest mean probability.

    Returns
    -------
    scores : ndarray of shape (n,), dtype float64
        Between 0 and 1 - 1/C; larger means less agreement.

    Raises
    ------
    ValueError
        If `samples` is not three-dimensional or empty, an entry is not a probability,
        or `kind` is neither.

    Notes
    -----
    O(T n C) time, O(n C) memory. The name stands for two quantities in the literature:
    votes in ensembles, the mean in Gal's formula. Votes take T values at most, so that
    many rows tie. "mean" is the least confidence of the mean.

    References
    ----------
    W. H. Beluch, T. Genewein, A. Nürnberger, J. M. Köhler. The power of ensembles for
    active learning in image classification. CVPR 2018 (votes).

    Y. Gal, R. Islam, Z. Ghahramani. Deep Bayesian active learning with image data. ICML
    2017, Section 4 (mean). https://arxiv.org/abs/1703.02910

    Examples
    --------
    >>> from skal.functional import variation_ratio
    >>> samples = [[[0.75, 0.25]], [[0.75, 0.25]], [[0.0, 1.0]]]
    >>> variation_ratio(samples).round(3).tolist()
    [0.333]
    >>> variation_ratio(samples, kind="mean").tolist()
    [0.5]
    """
    samples = check_samples(samples)
    if kind not in ("votes", "mean"):
        raise ValueError(f"kind must be 'votes' or 'mean'. Got {kind!r}.")
    shares = _vote_shares(samples) if kind == "votes" else samples.mean(axis=0)
    return 1 - shares.max(axis=1)


def sample_entropies(samples):
    """Entropy of each row in each sample, (T, n), with one sample's temporaries."""
    entropies = np.empty(samples.shape[:2])
    for sample, entropy in zip(samples, entropies, strict=True):
        entr(sample).sum(axis=1, out=entropy)
    return entropies


def _vote_shares(samples):
    """The share of the samples that are for each class, (n, C)."""
    shares = np.zeros(samples.shape[1:])
    rows = np.arange(samples.shape[1])
    for sample in samples:
        shares[rows, sample.argmax(axis=1)] += 1
    return shares / len(samples)


def _divergences(samples):
    """KL(sample || mean) of each row, (T, n)."""
    mean = samples.mean(axis=0)
    return np.stack([rel_entr(sample, mean).sum(axis=1) for sample in samples])
