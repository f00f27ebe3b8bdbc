# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The terms of a variational objective over the weights of a network."""

import numpy as np

KINDS = ("uniform", "blundell")


def gaussian_log_density(weights, mean=0.0, scale=1.0):
    r"""Log-density of weights that are independent and normal, summed over them.

    .. math:: \sum_j \log \mathcal N(w_j \mid \mu_j, \sigma_j^2)

    Parameters
    ----------
    weights : array-like of shape (d,)
        Weights; any shape is taken.
    mean : float or array-like of shape (d,), default=0.0
        The means; those of a posterior, or one for all.
    scale : float or array-like of shape (d,), default=1.0
        The standard deviations, above 0.

    Returns
    -------
    log_density : float
        ``log q(w)`` of a posterior, or ``log p(w)`` of a normal prior.

    Raises
    ------
    ValueError
        If a scale is not above 0.

    See Also
    --------
    scale_mixture_log_density : The log-density of a mixture prior.
    gaussian_kl : What log q - log p is on average over the posterior.

    Notes
    -----
    O(d) time and memory.

    References
    ----------
    C. Blundell, J. Cornebise, K. Kavukcuoglu, D. Wierstra. Weight uncertainty in neural
    networks. ICML 2015, Section 3.2. https://arxiv.org/abs/1505.05424

    Examples
    --------
    >>> from skal.functional import gaussian_log_density
    >>> round(gaussian_log_density([0.0, 1.0]), 4)
    -2.3379
    """
    return float(_log_normal(weights, mean, _check_scale(scale, "scale")).sum())


def scale_mixture_log_density(weights, proportion=0.5, scales=(1.0, 0.0025)):
    r"""Log-density of weights under a mixture of two normals around 0, summed.

    .. math::
        \sum_j \log\bigl(\pi \mathcal N(w_j \mid 0, \sigma_1^2)
        + (1 - \pi) \mathcal N(w_j \mid 0, \sigma_2^2)\bigr)

    Parameters
    ----------
    weights : array-like of shape (d,)
        Weights; any shape is taken.
    proportion : float, default=0.5
        The share of the first normal, strictly between 0 and 1.
    scales : tuple (float, float), default=(1.0, 0.0025)
        The two standard deviations, above 0; by default about 1 and exp(-6).

    Returns
    -------
    log_density : float
        ``log p(w)``.

    Raises
    ------
    ValueError
        If the proportion is not strictly between 0 and 1, or a scale not above 0.

    See Also
    --------
    gaussian_log_density : That of one normal, or of the posterior.

    Notes
    -----
    O(d) time and memory. A wide and a narrow normal together let few weights be large
    and hold the others near 0.

    References
    ----------
    C. Blundell, J. Cornebise, K. Kavukcuoglu, D. Wierstra. Weight uncertainty in neural
    networks. ICML 2015, Equation 7. https://arxiv.org/abs/1505.05424

    Examples
    --------
    >>> from skal.functional import scale_mixture_log_density
    >>> round(scale_mixture_log_density([0.0, 1.0], 0.5, (1.0, 1.0)), 4)
    -2.3379
    """
    if not 0 < proportion < 1:
        raise ValueError(
            f"proportion must be strictly between 0 and 1. Got {proportion!r}."
        )
    first, second = _check_scale(scales, "scales")
    parts = np.stack([_log_normal(weights, 0.0, scale) for scale in (first, second)])
    shares = np.log([proportion, 1 - proportion])
    shares = shares.reshape(2, *[1] * (parts.ndim - 1))
    return float(np.logaddexp(*(parts + shares)).sum())


def gaussian_kl(mean, scale, prior_scale=1.0):
    r"""Divergence of independent normal weights from a normal prior around 0.

    .. math::
        \mathrm{KL}(q \,\|\, p) = \sum_j \log\frac{s}{\sigma_j}
        + \frac{\sigma_j^2 + \mu_j^2}{2 s^2} - \frac12

    Parameters
    ----------
    mean : array-like of shape (d,)
        The posterior's means; any shape is taken.
    scale : array-like of shape (d,)
        Its standard deviations, above 0.
    prior_scale : float, default=1.0
        The prior's standard deviation s, above 0.

    Returns
    -------
    divergence : float
        In nats, at least 0; 0 where posterior and prior are equal.

    Raises
    ------
    ValueError
        If a scale is not above 0.

    Notes
    -----
    O(d) time and memory. The mean over draws of w of ``log q(w) - log p(w)``, without
    their noise.

    References
    ----------
    C. Blundell, J. Cornebise, K. Kavukcuoglu, D. Wierstra. Weight uncertainty in neural
    networks. ICML 2015, Equation 1. https://arxiv.org/abs/1505.05424

    Examples
    --------
    >>> from skal.functional import gaussian_kl
    >>> gaussian_kl([0.0, 0.0], [1.0, 1.0]), gaussian_kl([1.0, 0.0], [1.0, 1.0])
    (0.0, 0.5)
    """
    mean = np.asarray(mean, dtype=np.float64)
    ratio = _check_scale(scale, "scale") / _check_scale(prior_scale, "prior_scale")
    terms = (ratio**2 + (mean / prior_scale) ** 2 - 1) / 2 - np.log(ratio)
    return float(terms.sum())


def minibatch_weights(n_batches, kind="uniform"):
    r"""How the divergence from the prior is shared out among an epoch's batches.

    .. math:: \pi_i = \frac1M \text{ (uniform)}, \qquad
        \pi_i = \frac{2^{M-i}}{2^M - 1} \text{ (blundell)}, \qquad i = 1, \dots, M

    Parameters
    ----------
    n_batches : int
        The batches of an epoch, M; at least 1.
    kind : {"uniform", "blundell"}, default="uniform"
        Equal shares, or each batch half of what the one before has, so that an epoch
        begins with the prior and ends with the data.

    Returns
    -------
    weights : ndarray of shape (n_batches,), dtype float64
        Above 0 (unless the share is below the smallest float) and 1 in all.

    Raises
    ------
    ValueError
        If `n_batches` is below 1 or `kind` is neither.

    Notes
    -----
    O(n_batches) time and memory, and no overflow for any number of batches.

    References
    ----------
    A. Graves. Practical variational inference for neural networks. NIPS 2011 (uniform).

    C. Blundell, J. Cornebise, K. Kavukcuoglu, D. Wierstra. Weight uncertainty in neural
    networks. ICML 2015, Section 3.4. https://arxiv.org/abs/1505.05424

    Examples
    --------
    >>> from skal.functional import minibatch_weights
    >>> minibatch_weights(4).tolist()
    [0.25, 0.25, 0.25, 0.25]
    >>> (15 * minibatch_weights(4, kind="blundell")).round(6).tolist()
    [8.0, 4.0, 2.0, 1.0]
    """
    if n_batches < 1:
        raise ValueError(f"n_batches must be at least 1. Got {n_batches!r}.")
    if kind == "uniform":
        return np.full(n_batches, 1 / n_batches)
    if kind == "blundell":
        halves = np.exp2(-np.arange(1.0, n_batches + 1))
        return halves / -np.expm1(-n_batches * np.log(2))
    raise ValueError(f"kind must be one of {list(KINDS)}. Got {kind!r}.")


def _log_normal(weights, mean, scale):
    deviation = (np.asarray(weights, dtype=np.float64) - np.asarray(mean)) / scale
    return -np.log(scale) - (np.log(2 * np.pi) + deviation**2) / 2


def _check_scale(scale, name):
    scale = np.asarray(scale, dtype=np.float64)
    if not (scale > 0).all():
        raise ValueError(
            f"{name} must be above 0 everywhere: it is a standard deviation. Got "
            f"{scale[~(scale > 0)].flat[0] if scale.ndim else float(scale)}."
        )
    return scale
