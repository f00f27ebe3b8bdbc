# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""CEAL: people label what is uncertain, the classifier what is certain."""

from skal._learner import ActiveLearner
from skal._pseudo_labels import PseudoLabelClassifier


def CEAL(
    estimator,
    strategy=None,
    *,
    threshold=0.05,
    decay="linear",
    rate=0.0033,
    max_pseudo_labels=None,
    **learner_params,
):
    """Make a learner that asks for uncertain rows and trains on certain ones as well.

    Cost-effective active learning is two things put together, and this is how::

        ActiveLearner(
            PseudoLabelClassifier(estimator, threshold=threshold, ...),
            strategy,
            **learner_params,
        )

    Parameters
    ----------
    estimator : classifier
        Any with `predict_proba`.
    strategy : QueryStrategy or None, default=None
        Which rows to ask for: :class:`~skal.strategies.Entropy` (None),
        :class:`~skal.strategies.LeastConfidence` or :class:`~skal.strategies.Margin` in
        the paper; any will do.
    threshold : float, default=0.05
        Entropy in nats below which a row is certain in the first round.
    decay : {"linear", "literal"}, default="linear"
        How the threshold falls from round to round.
    rate : float, default=0.0033
        How fast.
    max_pseudo_labels : int or None, default=None
        Most certain rows to train on; None: all.
    **learner_params : dict
        Parameters of :class:`~skal.ActiveLearner`.

    Returns
    -------
    learner : ActiveLearner
        Not fitted. A search reaches the threshold as ``estimator__threshold``.

    See Also
    --------
    PseudoLabelClassifier : The training on certain rows, and where it deviates.
    ActiveLearner : The loop.

    Notes
    -----
    In a round the classifier is trained on the labelled rows, pseudo-labels rows of the
    pool, is trained again with them, and then the strategy asks about the pool by this
    second classifier. What was a pseudo-labelled row may so be asked about. Once it is
    taught it is labelled, no longer in the pool, and its pseudo-label is forgotten.

    The learner knows the pool where it spends a `budget`. With `query` and `teach`,
    pass it as `X_pool` to `fit` and `teach` too, with `pool_ids` for the rows that are
    labelled by now to be left out.

    References
    ----------
    K. Wang, D. Zhang, Y. Li, R. Zhang, L. Lin. Cost-effective active learning for deep
    image classification. IEEE TCSVT 27, 2017. https://arxiv.org/abs/1701.03551

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import CEAL
    >>> X, y = make_blobs(200, centers=2, random_state=0)
    >>> learner = CEAL(LogisticRegression(), threshold=0.2, budget=30, random_state=0)
    >>> learner = learner.fit(X, y)
    >>> len(learner.y_labeled_), learner.estimator_.n_pseudo_labels_
    (30, 103)
    """
    classifier = PseudoLabelClassifier(
        estimator,
        threshold=threshold,
        decay=decay,
        rate=rate,
        max_pseudo_labels=max_pseudo_labels,
    )
    return ActiveLearner(classifier, strategy, **learner_params)
