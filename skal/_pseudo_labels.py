# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Pseudo-labels: pool rows that a classifier is sure of join one training."""

import math
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch
from sklearn.utils.metadata_routing import UNUSED

from skal._fresh_estimator import fresh_estimator
from skal._labeled_set import split_params
from skal._wrapper import WrapsClassifier
from skal.exceptions import NoPseudoLabelsWarning
from skal.functional import (
    confident_region_rows,
    confident_rows,
    decayed_threshold,
    entropy,
    k_means,
    region_scores,
)
from skal.utils._capabilities import check_provides, compute_outputs, last_step
from skal.utils._interrupt import reraise_interrupt
from skal.utils._random import draw_seed, stream
from skal.utils._rollback import as_before_on_error
from skal.utils._rows import (
    check_alike,
    concat_rows,
    num_rows,
    readable_rows,
    take_rows,
)
from skal.utils._sklearn import HasMethods, Interval, StrOptions, fit_context
from skal.utils._validation import (
    check_classes,
    check_known_labels,
    check_labels,
    check_not_bare_string,
    check_pool,
)
from skal.utils._warnings import warn

# What a rule reads of the pool, and its own threshold where none is set.
_READS = {"entropy": {"proba"}, "regions": {"proba", "embedding"}}
_THRESHOLDS = {"entropy": 0.05, "regions": 0.7}


class PseudoLabelClassifier(WrapsClassifier, BaseEstimator):
    """Train on labelled rows, and once more with unlabelled ones predicted surely.

    `fit` trains the classifier on the labelled rows, lets it look at the unlabelled
    ones once, and trains it afresh on the labelled rows and the confident ones, which
    have their predicted classes for labels. Inside :class:`~skal.ActiveLearner` the
    unlabelled rows come from the learner, in every round anew.

    Parameters
    ----------
    estimator : classifier
        Any with `predict_proba`, a pipeline included. It is cloned for each training.
    rule : {"entropy", "regions"}, default="entropy"
        Which rows are confident. "entropy": those whose predictive entropy is below
        `threshold` (CEAL). "regions": those in certain regions of the pool whose
        predicted class has a probability above `threshold` (AcTune's self-training);
        it reads the classifier's embedding.
    threshold : float or None, default=None
        Of ``rule="entropy"`` an entropy in nats, above 0 and at most log(n_classes), in
        the first round; of ``rule="regions"`` a probability between 0 and 1. None: 0.05
        and 0.7.
    decay : {"linear", "literal"}, default="linear"
        How the entropy falls after the first round: by `rate` a round, or by the
        paper's formula to the letter, :func:`skal.functional.decayed_threshold`, which
        soon goes below 0. Then there are no pseudo-labels.
    rate : float, default=0.0033
        How fast it falls; 0 keeps it.
    n_clusters : int, default=25
        Into how many regions the pool is clustered; for ``rule="regions"``.
    n_regions : int, default=10
        How many of them, the least uncertain ones, give pseudo-labels.
    beta : float, default=0.5
        How much mixed predictions count in a region's uncertainty,
        :func:`skal.functional.region_scores`.
    max_pseudo_labels : int or None, default=None
        Most rows to take, those of least entropy; None: all that the rule takes. The
        second training costs as many rows more as are taken.
    classes : array-like of shape (n_classes,), default=None
        All labels that may ever occur; passed on to an estimator with a parameter of
        that name. None means those in y.
    random_state : int, RandomState instance or None, default=None
        Seeds the regions, and what `estimator` leaves at None: both trainings alike.

    Attributes
    ----------
    estimator_ : classifier
        The classifier of the last training.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    threshold_ : float
        The threshold of this round.
    n_pseudo_labels_ : int
        How many unlabelled rows took part in the last training.
    pseudo_rows_ : ndarray of shape (`n_pseudo_labels_`,), dtype int64
        Their positions in `X_unlabeled`, the surest row first.
    pseudo_labels_ : ndarray of shape (`n_pseudo_labels_`,)
        The labels they were given.
    training_dynamics_ : Bunch
        Those of the labelled rows, where the classifier records its training.
    n_features_in_ : int
        Number of features of X, where the classifier knows it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where the classifier knows them.

    See Also
    --------
    CEAL : A learner with this classifier.
    skal.strategies.AcTune : The other half of AcTune, which rows to ask for.
    sklearn.semi_supervised.SelfTrainingClassifier : Keeps pseudo-labels, and repeats.

    Notes
    -----
    At most two trainings and one look at the unlabelled rows; one training without
    `X_unlabeled`, and where no row is confident: a NoPseudoLabelsWarning says so.
    Labelled rows of a single class tell nothing of another one: no pool row is labelled
    by them. The second training starts afresh too, with the same seed.

    Pseudo-labelled rows are known to nobody but that one training: they enter neither
    the learner's labelled set nor its budget, and the next `fit` knows nothing of them.
    They count as much as an average labelled row where there are weights.

    Which threshold is right depends on the classifier and on how long it is trained:
    one that is sure of all it says labels the pool with its mistakes, and one that was
    trained for a few steps may never get below 0.05. Look at `n_pseudo_labels_`, and at
    the entropies of some rows (:func:`skal.functional.entropy`).

    Whatever the classifier inside offers to strategies is passed on. It is put around a
    pipeline, not into one: a pipeline's `fit` does not pass on unlabelled rows.

    What the papers do otherwise:

    * CEAL takes confident rows by the model of the round before, so it must take out
      those it asks for; here the classifier that labels has learned the answers, and
      what was asked for is labelled and no longer in the pool;
    * CEAL fine-tunes on from the round before; here every training starts afresh;
    * AcTune averages a row's predictions over the rounds (its memory); here a round
      keeps nothing. It trains on both sets with one loss, in which they weigh the same
      and confident rows weigh more; here every row weighs the same. Its code leaves
      the regions out of this part and takes the rows of least entropy in the whole
      pool, more of them in each round.

    A much-copied implementation of CEAL never takes pseudo-labelled rows back: they are
    trained on again in all later rounds, more than once, and a person's answer to one
    of them is overwritten. That is not followed.

    References
    ----------
    K. Wang, D. Zhang, Y. Li, R. Zhang, L. Lin. Cost-effective active learning for deep
    image classification. IEEE TCSVT 27, 2017. https://arxiv.org/abs/1701.03551

    Y. Yu, L. Kong, J. Zhang, R. Zhang, C. Zhang. AcTune: uncertainty-based active
    self-training for active fine-tuning of pretrained language models. NAACL 2022,
    Section 3.3. :doi:`10.18653/v1/2022.naacl-main.102`

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import PseudoLabelClassifier
    >>> X, y = make_blobs(200, centers=2, random_state=0)
    >>> classifier = PseudoLabelClassifier(LogisticRegression(), threshold=0.2)
    >>> classifier = classifier.fit(X[:20], y[:20], X_unlabeled=X[20:])
    >>> rows, labels = classifier.pseudo_rows_, classifier.pseudo_labels_
    >>> len(rows), float((labels == y[20:][rows]).mean())
    (99, 1.0)
    """

    # The learner offers both of its own accord: they are not metadata of the rows.
    __metadata_request__fit = {"X_unlabeled": UNUSED, "n_rounds": UNUSED}

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "rule": [StrOptions(set(_READS))],
        "threshold": [Interval(Real, 0, None, closed="neither"), None],
        "decay": [StrOptions({"linear", "literal"})],
        "rate": [Interval(Real, 0, None, closed="left")],
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "n_regions": [Interval(Integral, 1, None, closed="left")],
        "beta": [Interval(Real, 0, None, closed="left")],
        "max_pseudo_labels": [Interval(Integral, 1, None, closed="left"), None],
        "classes": ["array-like", None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator,
        *,
        rule="entropy",
        threshold=None,
        decay="linear",
        rate=0.0033,
        n_clusters=25,
        n_regions=10,
        beta=0.5,
        max_pseudo_labels=None,
        classes=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.rule = rule
        self.threshold = threshold
        self.decay = decay
        self.rate = rate
        self.n_clusters = n_clusters
        self.n_regions = n_regions
        self.beta = beta
        self.max_pseudo_labels = max_pseudo_labels
        self.classes = classes
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, X_unlabeled=None, n_rounds=0, **fit_params):
        """Fit the classifier, and once more with the rows that it is sure of.

        Parameters
        ----------
        X : sequence of length n
            Labelled rows in any container that the estimator takes.
        y : array-like of shape (n,)
            Class labels.
        X_unlabeled : sequence of length m, default=None
            Rows of the same kind; not changed. None: one training, on the labelled
            rows. So it is, too, with an empty one in a round of a learner, whose pool
            may have run out; elsewhere that is an error.
        n_rounds : int, default=0
            Which round of a learner this is, the first being 1; 0 outside of one. The
            threshold falls with each round after the first.
        **fit_params : dict
            Passed to the estimator's `fit` (by metadata routing where that is enabled).
            Of values with one entry per row only a `sample_weight` goes with
            `X_unlabeled`.

        Returns
        -------
        self : PseudoLabelClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If X and y differ in length, a label is not in `classes`, the threshold is
            not in its range, or there are unlabelled rows of another width or none.
            Nothing is trained then, and nothing forgotten.
        TypeError
            If labelled and unlabelled rows are of different kinds.
        MissingCapabilityError
            If ``rule="regions"`` and the estimator has no embedding.
        """
        check_not_bare_string(X)
        y = check_labels(y, num_rows(X))
        classes = self._check_classes(y)
        threshold = self._round_threshold(n_rounds, len(classes))
        aligned, constant = split_params(self._routed("fit", fit_params), len(y))
        pool = self._checked_pool(X, X_unlabeled, n_rounds, aligned)
        X = readable_rows(X)
        seed = draw_seed(self.random_state)
        with as_before_on_error(self):
            model = self._train(X, y, classes, seed, aligned | constant)
            rows, labels = np.empty(0, dtype=np.int64), classes[:0]
            if pool is not None and len(np.unique(y)) > 1:
                rows, labels = self._look(model, pool, classes, threshold, seed)
            if len(rows):
                joined = concat_rows(X, take_rows(pool, rows))
                weights = {name: _extend(w, len(rows)) for name, w in aligned.items()}
                y_joined = np.concatenate([y, labels])
                model = self._train(joined, y_joined, classes, seed, weights | constant)
            self._remember(model, classes, threshold, rows, labels, len(y))
        return self

    def _check_classes(self, y):
        if self.classes is None:
            return np.unique(y)
        classes = check_classes(self.classes)
        check_known_labels(y, classes)
        return classes

    def _round_threshold(self, n_rounds, n_classes):
        """The threshold of this round; that of the first one must be in its range."""
        first = _THRESHOLDS[self.rule] if self.threshold is None else self.threshold
        most = math.log(n_classes) if n_classes > 1 else math.inf
        if self.rule == "regions" and first >= 1:
            raise ValueError(
                "threshold of rule='regions' must be a probability between 0 and 1, "
                f"which that of the predicted class is above. Got {first}."
            )
        if self.rule == "entropy" and first > most:
            raise ValueError(
                "threshold of rule='entropy' must be an entropy in nats, at most "
                f"log(n_classes) = {most:.3g} for {n_classes} classes. Got {first}; "
                "lower it, for example to 0.05."
            )
        if not isinstance(n_rounds, Integral) or n_rounds < 0:
            raise ValueError(
                f"n_rounds must be an int of at least 0. Got {n_rounds!r}."
            )
        if self.rule == "regions":
            return float(first)
        later = max(n_rounds - 1, 0)
        return decayed_threshold(first, later, rate=self.rate, decay=self.decay)

    def _checked_pool(self, X, pool, n_rounds, aligned):
        """The unlabelled rows, None if there are none to look at."""
        if pool is None:
            return None
        check_not_bare_string(pool, "X_unlabeled")
        if num_rows(pool) == 0 and n_rounds > 0:
            return None
        check_pool(pool, self, name="X_unlabeled")
        check_alike(X, pool, "X_unlabeled")
        who = f"{type(self).__name__}(rule={self.rule!r})"
        check_provides(who, self.estimator, _READS[self.rule], X, "rule='entropy'")
        others = [n for n in aligned if n.rpartition("__")[2] != "sample_weight"]
        if others:
            raise ValueError(
                "With X_unlabeled, the only parameter of fit with one value per row "
                "can be sample_weight: nothing is known of what the others are for a "
                f"pseudo-labelled row. Got {others}; leave them out."
            )
        return pool

    def _train(self, X, y, classes, seed, params):
        model = fresh_estimator(self.estimator, y, classes, stream(seed, 0))
        with reraise_interrupt():
            return model.fit(X, y, **params)

    def _look(self, model, pool, classes, threshold, seed):
        """The confident rows of the pool and the labels predicted for them."""
        rows, proba = np.empty(0, dtype=np.int64), np.empty((0, len(classes)))
        if threshold > 0:
            reads = _READS[self.rule]
            found = compute_outputs(model, pool, reads, classes)
            rows, proba = self._confident(found, threshold, seed), found["proba"]
        if not len(rows):
            warn(
                "The classifier is sure enough of no unlabelled row, by the threshold "
                "of this round (`threshold_`): it is trained on the labelled rows "
                "alone. Raise the threshold if it is an entropy, lower it if it is a "
                "probability, or lower `rate`.",
                NoPseudoLabelsWarning,
            )
        return rows, classes[proba[rows].argmax(axis=1)]

    def _confident(self, found, threshold, seed):
        proba = found["proba"]
        if self.rule == "entropy":
            return confident_rows(proba, threshold)[: self.max_pseudo_labels]
        scores = entropy(proba)
        clusters, centers = k_means(
            found["embedding"],
            self.n_clusters,
            sample_weight=scores,
            random_state=stream(seed, 1),
        )
        regions = region_scores(
            scores, proba, clusters, beta=self.beta, n_clusters=len(centers)
        )
        rows = confident_region_rows(
            proba, clusters, regions, n_regions=self.n_regions, threshold=threshold
        )
        return rows[: self.max_pseudo_labels]

    def _remember(self, model, classes, threshold, rows, labels, n_labeled):
        self._take_over(model, classes)
        self.threshold_ = threshold
        self.n_pseudo_labels_ = len(rows)
        self.pseudo_rows_, self.pseudo_labels_ = rows, labels
        dynamics = getattr(last_step(model), "training_dynamics_", None)
        if dynamics is not None:
            cut = {name: values[:, :n_labeled] for name, values in dynamics.items()}
            self.training_dynamics_ = Bunch(**cut)


def _extend(weights, n_more):
    """Weights of the labelled rows, and their mean for each row more."""
    weights = np.asarray(weights)
    return np.concatenate([weights, np.full(n_more, weights.mean())])
