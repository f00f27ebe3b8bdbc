# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A committee: one classifier fitted several times, whose members are samples."""

from numbers import Integral

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.parallel import Parallel, delayed

from skal._fresh_estimator import clone_for
from skal._labeled_set import split_params
from skal.utils._ensemble import EnsembleMixin, gathered, unrounded
from skal.utils._interrupt import reraise_interrupt
from skal.utils._random import draw_seed, seed_nested, stream
from skal.utils._rollback import as_before_on_error
from skal.utils._rows import num_rows, take_rows
from skal.utils._sklearn import HasMethods, Interval, fit_context
from skal.utils._validation import (
    check_classes,
    check_known_labels,
    check_labels,
    check_not_bare_string,
)


class Committee(EnsembleMixin, ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Fit a classifier several times, and let strategies see where the fits disagree.

    Each member is a clone with a seed of its own, fitted on all rows or on a bootstrap
    sample of them. The committee predicts by the mean of its members' probabilities;
    `sample_proba` gives them one by one, to query by committee [1]_.

    Parameters
    ----------
    estimator : classifier
        Any, a pipeline included. One without `predict_proba` casts votes: probability 1
        for the class it predicts.
    n_estimators : int, default=10
        How many members.
    bootstrap : bool, default=False
        Whether each member is fitted on as many rows as there are, drawn with
        replacement [2]_. Without it only the seeds tell members apart [3]_: a
        classifier whose fit draws nothing, such as logistic regression, needs the
        bootstrap.
    stochastic : bool, default=False
        Whether the samples are drawn with the members' own dropout, from one member
        after the other, so that there can be more samples than members [4]_. Takes an
        estimator with `sample_proba`.
    classes : array-like of shape (n_classes,), default=None
        All labels that may ever occur; passed on to an estimator with a parameter of
        that name. None means those in y.
    n_jobs : int, default=None
        Members fitted at the same time, as in joblib.
    random_state : int, RandomState instance or None, default=None
        Draws the members' seeds, which replace every `random_state` of the estimator,
        and their rows.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    estimators_ : list of classifier
        The members.
    n_features_in_ : int
        Number of features of X, where the members know it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where the members know them.

    See Also
    --------
    skal.text.SnapshotEnsemble : Members from one training run of a network.
    skal.text.DiverseEnsemble : Members whose training begins together.
    skal.strategies.VoteEntropy : Picks what the members are most divided on.
    skal.strategies.BALD : Picks what would say most of which member is right.

    Notes
    -----
    Time and memory are those of one member, times `n_estimators`: in `fit`, in a query
    and in a file, where members of one checkpoint share the tokenizer. `predict_proba`
    holds the probabilities of one member at a time. X is passed on as it is, whatever
    it is; texts are tokenised once for all members where those keep tokens.

    A member whose rows lack a class gives it probability 0; one whose rows have a
    single class, and which cannot be told the others by a parameter `classes`, is a
    constant. A `fit` that fails or is interrupted leaves the previous committee as it
    was.

    There is no `embed`: each member has a representation of its own.

    References
    ----------
    .. [1] H. S. Seung, M. Opper and H. Sompolinsky. Query by committee. COLT 1992.
       :doi:`10.1145/130385.130417`
    .. [2] N. Abe and H. Mamitsuka. Query learning strategies using boosting and
       bagging. ICML 1998.
    .. [3] B. Lakshminarayanan, A. Pritzel and C. Blundell. Simple and scalable
       predictive uncertainty estimation using deep ensembles. NeurIPS 2017.
       https://arxiv.org/abs/1612.01474
    .. [4] R. Pop and P. Fulop. Deep Ensemble Bayesian Active Learning. 2018.
       https://arxiv.org/abs/1811.03897

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skal import Committee
    >>> member = make_pipeline(TfidfVectorizer(), LogisticRegression())
    >>> committee = Committee(member, n_estimators=5, bootstrap=True, random_state=0)
    >>> X, y = ["good film", "bad film", "good plot", "bad plot"], ["+", "-", "+", "-"]
    >>> committee.fit(X, y).predict(["a good one"])
    array(['+'], dtype='<U1')
    >>> committee.sample_proba(["a good one", "a bad one"]).shape
    (5, 2, 2)
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict"])],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "bootstrap": ["boolean"],
        "stochastic": ["boolean"],
        "classes": ["array-like", None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator,
        *,
        n_estimators=10,
        bootstrap=False,
        stochastic=False,
        classes=None,
        n_jobs=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.bootstrap = bootstrap
        self.stochastic = stochastic
        self.classes = classes
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, **fit_params):
        """Fit the members.

        Parameters
        ----------
        X : sequence of length n
            Rows in any container that the estimator takes.
        y : array-like of shape (n,)
            Class labels.
        **fit_params : dict
            Passed to the members' `fit` (by metadata routing where that is enabled).
            Values with one entry per row follow a bootstrap sample.

        Returns
        -------
        self : Committee
            The fitted committee.

        Raises
        ------
        ValueError
            If X and y differ in length or a label is not in `classes`.
        MissingCapabilityError
            If `stochastic` is set and the estimator has no `sample_proba`.
        """
        check_not_bare_string(X)
        y = check_labels(y, num_rows(X))
        classes = self._check_classes(y)
        self._check_draws()
        aligned, constant = split_params(self._routed(fit_params), len(y))
        seed = draw_seed(self.random_state)
        with as_before_on_error(self), reraise_interrupt():
            members = Parallel(n_jobs=self.n_jobs)(
                delayed(_fit_member)(self, X, y, aligned, constant, classes, rng)
                for rng in (stream(seed, member) for member in range(self.n_estimators))
            )
            self.estimators_ = gathered(members, self.estimator)
            self.classes_ = classes
            self._note_features()
        return self

    def _check_classes(self, y):
        if self.classes is None:
            return np.unique(y)
        classes = check_classes(self.classes)
        check_known_labels(y, classes)
        return classes

    def _routed(self, params):
        if params and get_config()["enable_metadata_routing"]:
            return dict(process_routing(self, "fit", **params)["estimator"]["fit"])
        return params

    def get_metadata_routing(self):
        """Say how metadata is routed.

        Returns
        -------
        routing : MetadataRouter
            `fit` passes what the estimator requests to every member.
        """
        return MetadataRouter(owner=self).add(
            estimator=self.estimator,
            method_mapping=MethodMapping().add(caller="fit", callee="fit"),
        )


def _fit_member(committee, X, y, aligned, constant, classes, rng):
    """One member, fitted; `aligned` and `constant` are the parameters of its fit."""
    if committee.bootstrap:
        rows = rng.randint(len(y), size=len(y))
        X, y = take_rows(indexable(X)[0], rows), y[rows]
        aligned = {name: take_rows(value, rows) for name, value in aligned.items()}
    member = clone_for(committee.estimator, np.unique(y), classes)
    seed_nested(member, rng, overwrite=True)
    with reraise_interrupt():
        return unrounded(member.fit(X, y, **aligned, **constant))
