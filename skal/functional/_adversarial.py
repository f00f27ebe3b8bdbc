# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Losses of the networks that play against each other in VAAL and MAL.

The networks are trained by these very functions: each takes tensors too, and then
gives a tensor that can be differentiated.
"""

import sys

import numpy as np


def _arrays(*values):
    """NumPy and float64 arrays, or torch and the tensors as they are."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(values[0], torch.Tensor):
        return torch, *values
    return np, *(np.asarray(value, dtype=np.float64) for value in values)


def _check_rows(names, first, second):
    if first.ndim != 2 or first.shape != second.shape:
        raise ValueError(
            f"{names} must be two-dimensional and of one shape. Got shapes "
            f"{tuple(first.shape)} and {tuple(second.shape)}."
        )


def gaussian_divergence(mean, log_variance):
    r"""How far Gaussians with independent dimensions are from the unit Gaussian.

    .. math:: KL(N(\mu, \operatorname{diag} \sigma^2) \| N(0, I)) =
        \tfrac{1}{2} \sum_j \mu_j^2 + \sigma_j^2 - 1 - \log \sigma_j^2

    Parameters
    ----------
    mean : array-like or tensor of shape (n, z)
        One Gaussian per row.
    log_variance : array-like or tensor of shape (n, z)
        Natural logarithms of the variances.

    Returns
    -------
    divergence : ndarray of shape (n,), dtype float64, or tensor of shape (n,)
        In nats; 0 for the unit Gaussian itself.

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    O(n z) time and memory.

    References
    ----------
    D. P. Kingma, M. Welling. Auto-encoding variational Bayes. ICLR 2014, appendix B.
    https://arxiv.org/abs/1312.6114

    Examples
    --------
    >>> from skal.functional import gaussian_divergence
    >>> gaussian_divergence([[0.0, 0.0], [1.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]).tolist()
    [0.0, 2.5]
    """
    xp, mean, log_variance = _arrays(mean, log_variance)
    _check_rows("mean and log_variance", mean, log_variance)
    return 0.5 * (mean**2 + xp.exp(log_variance) - 1 - log_variance).sum(-1)


def vae_loss(X, reconstruction, mean, log_variance, *, beta=1.0):
    r"""The loss of a beta-VAE: what is lost of the rows, and what their codes cost.

    .. math:: \frac{1}{n} \sum_i \tfrac{1}{2} \|x_i - \hat x_i\|^2 +
        \beta KL(q(z \mid x_i) \| N(0, I))

    With ``beta=1`` this is the negative evidence lower bound, but for a constant, of a
    decoder whose output has unit variance.

    Parameters
    ----------
    X, reconstruction : array-like or tensor of shape (n, d)
        Rows, and what the decoder makes of their codes.
    mean, log_variance : array-like or tensor of shape (n, z)
        Of the Gaussian that a row's code is drawn from.
    beta : float, default=1.0
        How much the divergence weighs.

    Returns
    -------
    loss : float or tensor of shape ()
        At least 0.

    Raises
    ------
    ValueError
        If shapes differ that must not.

    See Also
    --------
    gaussian_divergence : The second term.

    Notes
    -----
    O(n (d + z)) time and memory.

    VAAL's code takes the mean of the squares over all n d numbers, and sums the
    divergences over the batch: that is 2/d times this loss with ``beta * n * d / 2`` in
    place of `beta`. Of vectors with hundreds of features nothing is then worth
    encoding.

    References
    ----------
    I. Higgins et al. beta-VAE: learning basic visual concepts with a constrained
    variational framework. ICLR 2017, equation 4.
    https://openreview.net/forum?id=Sy2fzU9gl

    S. Sinha, S. Ebrahimi, T. Darrell. Variational adversarial active learning. ICCV
    2019, equation 1. https://arxiv.org/abs/1904.00370

    Examples
    --------
    >>> from skal.functional import vae_loss
    >>> float(vae_loss([[1.0, 3.0]], [[1.0, 1.0]], [[0.0]], [[0.0]]))
    2.0
    """
    _, X, reconstruction = _arrays(X, reconstruction)
    _check_rows("X and reconstruction", X, reconstruction)
    lost = 0.5 * ((X - reconstruction) ** 2).sum(-1)
    return (lost + beta * gaussian_divergence(mean, log_variance)).mean()


def discriminator_loss(labeled_logits, unlabeled_logits):
    r"""The loss of a network that tells labelled rows from unlabelled ones.

    .. math:: -\frac{1}{n_L} \sum_{x \in L} \log D(x) -
        \frac{1}{n_U} \sum_{x \in U} \log(1 - D(x))

    Parameters
    ----------
    labeled_logits : array-like or tensor of shape (n_L,) or (n_L, 1)
        The network's logits of "labelled", of labelled rows.
    unlabeled_logits : array-like or tensor of shape (n_U,) or (n_U, 1)
        The same of unlabelled rows.

    Returns
    -------
    loss : float or tensor of shape ()
        2 log 2 for a network that cannot tell.

    See Also
    --------
    adversarial_loss : The other side of the game.

    Notes
    -----
    O(n_L + n_U) time and memory. Both kinds weigh the same, however many there are.

    References
    ----------
    S. Sinha, S. Ebrahimi, T. Darrell. Variational adversarial active learning. ICCV
    2019, equation 3. https://arxiv.org/abs/1904.00370

    Examples
    --------
    >>> from skal.functional import discriminator_loss
    >>> round(float(discriminator_loss([0.0], [0.0, 0.0])), 3)
    1.386
    >>> round(float(discriminator_loss([4.0], [-4.0, -4.0])), 3)
    0.036
    """
    xp, labeled, unlabeled = _arrays(labeled_logits, unlabeled_logits)
    return _softplus(xp, -labeled).mean() + _softplus(xp, unlabeled).mean()


def adversarial_loss(labeled_logits, unlabeled_logits):
    r"""The loss of an encoder that wants all rows to be taken for labelled ones.

    .. math:: -\frac{1}{n_L} \sum_{x \in L} \log D(x) -
        \frac{1}{n_U} \sum_{x \in U} \log D(x)

    Parameters
    ----------
    labeled_logits : array-like or tensor of shape (n_L,) or (n_L, 1)
        The discriminator's logits of "labelled", of labelled rows.
    unlabeled_logits : array-like or tensor of shape (n_U,) or (n_U, 1)
        The same of unlabelled rows.

    Returns
    -------
    loss : float or tensor of shape ()
        At least 0.

    See Also
    --------
    discriminator_loss : The other side of the game.

    Notes
    -----
    O(n_L + n_U) time and memory.

    References
    ----------
    S. Sinha, S. Ebrahimi, T. Darrell. Variational adversarial active learning. ICCV
    2019, equation 2. https://arxiv.org/abs/1904.00370

    Examples
    --------
    >>> from skal.functional import adversarial_loss
    >>> round(float(adversarial_loss([4.0], [4.0, 4.0])), 3)
    0.036
    """
    xp, labeled, unlabeled = _arrays(labeled_logits, unlabeled_logits)
    return _softplus(xp, -labeled).mean() + _softplus(xp, -unlabeled).mean()


def _softplus(xp, logits):
    """log(1 + e^x), without overflow."""
    return xp.logaddexp(xp.zeros_like(logits), logits)


def cosine_logits(features, weights, *, temperature=0.05):
    r"""Logits of a classifier that looks at the direction of its features alone.

    .. math:: \frac{1}{T} \frac{W^\top f}{\|f\|}

    Parameters
    ----------
    features : array-like or tensor of shape (n, d)
        One vector per row; 0 stays 0.
    weights : array-like or tensor of shape (d, C)
        One column per class, not normalised.
    temperature : float, default=0.05
        Of the softmax that is to come.

    Returns
    -------
    logits : ndarray of shape (n, C), dtype float64, or tensor of shape (n, C)
        Scores before the softmax.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    See Also
    --------
    logit_entropy : How undecided the classifier is.

    Notes
    -----
    O(n d C) time, O(n (d + C)) memory.

    References
    ----------
    K. Saito et al. Semi-supervised domain adaptation via minimax entropy. ICCV 2019,
    section 3.1. https://arxiv.org/abs/1904.06487

    S. Ebrahimi et al. Minimax active learning. 2020. https://arxiv.org/abs/2012.10467

    Examples
    --------
    >>> from skal.functional import cosine_logits
    >>> cosine_logits([[3.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]], temperature=0.5).tolist()
    [[1.2, 1.6]]
    """
    xp, features, weights = _arrays(features, weights)
    if (features.ndim, weights.ndim) != (2, 2) or features.shape[1] != len(weights):
        raise ValueError(
            "features must have shape (n, d) and weights (d, n_classes). Got shapes "
            f"{tuple(features.shape)} and {tuple(weights.shape)}."
        )
    length = xp.linalg.norm(features, axis=-1, keepdims=True)
    return features / (length + (length == 0)) @ weights / temperature


def logit_entropy(logits):
    r"""Entropy of the softmax of logits, in nats.

    .. math:: -\sum_c p_c \log p_c, \qquad p = \operatorname{softmax}(\text{logits})

    Parameters
    ----------
    logits : array-like or tensor of shape (n, C)
        Finite scores before the softmax.

    Returns
    -------
    scores : ndarray of shape (n,), dtype float64, or tensor of shape (n,)
        Between 0 and log C; larger means more uncertain.

    Raises
    ------
    ValueError
        If `logits` is not two-dimensional.

    See Also
    --------
    entropy : The same of probabilities.

    Notes
    -----
    O(n C) time and memory. Exact where probabilities would round to 0 or 1.

    References
    ----------
    C. E. Shannon. A mathematical theory of communication. Bell System Technical Journal
    27, 1948. :doi:`10.1002/j.1538-7305.1948.tb01338.x`

    Examples
    --------
    >>> from skal.functional import logit_entropy
    >>> logit_entropy([[1000.0, 0.0], [1000.0, 1000.0]]).round(3).tolist()
    [0.0, 0.693]
    """
    xp, logits = _arrays(logits)
    if logits.ndim != 2:
        raise ValueError(
            f"logits must have shape (n_rows, n_classes). Got {tuple(logits.shape)}."
        )
    shifted = logits - xp.amax(logits, -1, keepdims=True)
    weights = xp.exp(shifted)
    total = weights.sum(-1)
    return xp.log(total) - (weights * shifted).sum(-1) / total
