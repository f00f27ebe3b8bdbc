# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""An ensemble whose members begin together and are trained apart."""

import copy
from numbers import Integral, Real

from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils.parallel import Parallel, delayed

from skal.text._members import check_members, first_member
from skal.text._training import planned_epochs
from skal.utils._ensemble import EnsembleMixin, gathered, unrounded
from skal.utils._interrupt import reraise_interrupt
from skal.utils._random import draw_seed, stream
from skal.utils._rollback import as_before_on_error
from skal.utils._rows import num_rows
from skal.utils._sklearn import HasMethods, Interval, fit_context
from skal.utils._validation import check_not_bare_string


class DiverseEnsemble(
    EnsembleMixin, ClassifierMixin, MetaEstimatorMixin, BaseEstimator
):
    """Train a network for a while, then several copies of it, each in its own way.

    The diversity-encouraging ensemble (DEE) of [1]_: after some common epochs every
    member trains on from the same weights with its own dropout and its own order of the
    rows. The ensemble predicts by the mean of the members' probabilities;
    `sample_proba` gives them one by one.

    Parameters
    ----------
    estimator : TransformerClassifier or DenseClassifier
        What is trained. A member trains for as many epochs as it would alone, the
        common ones counted.
    n_estimators : int, default=5
        How many members; at least 2.
    shared : float, default=0.3
        Part of the epochs that are trained together, above 0 and below 1: rounded to
        whole epochs, at least one of each kind.
    stochastic : bool, default=False
        Whether the samples are drawn with the members' own dropout, from one member
        after the other, so that there can be more samples than members [2]_.
    classes : array-like of shape (n_classes,), default=None
        All labels that may ever occur; passed on to the estimator. None leaves it to
        the estimator's own.
    n_jobs : int, default=None
        Members trained at the same time, as in joblib.
    random_state : int, RandomState instance or None, default=None
        Draws the seeds of the common training and of each member, which replace the
        estimator's `random_state`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    estimators_ : list of classifier
        The members; what they recorded (`history_`, say) is of the epochs trained
        apart.
    n_shared_epochs_ : int
        Epochs trained together.
    n_features_in_ : int
        Number of features of X, where the estimator counts them.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where the estimator notes them.

    See Also
    --------
    SnapshotEnsemble : Members from one training run.
    skal.Committee : Members that are trained apart from the start.

    Notes
    -----
    Time of `fit` is `n_estimators` times that of the estimator, less the common epochs
    of all members but one; of a query, that of `n_estimators` of them, and texts are
    tokenised once. Memory beside one network: `n_estimators` - 1 sets of weights, on
    the device (4 bytes a weight: 440 MB for each further member of BERT base), and with
    `n_jobs` what each process needs to train; a file holds each member's weights, and
    the tokenizer once.

    Both parts are trainings of their own: each begins with a new optimiser and runs
    through the estimator's whole schedule of the learning rate, warm-up included. [1]_
    does not say how long a "small number" of common epochs is.

    Without dropout only the order of the rows tells members apart. A `fit` that fails
    or is interrupted leaves the previous ensemble as it was.

    There is no `embed`: each member has a representation of its own.

    References
    ----------
    .. [1] W. H. Beluch, T. Genewein, A. Nürnberger and J. M. Köhler. The Power of
       Ensembles for Active Learning in Image Classification. CVPR 2018.
       :doi:`10.1109/CVPR.2018.00976`
    .. [2] R. Pop and P. Fulop. Deep Ensemble Bayesian Active Learning. 2018.
       https://arxiv.org/abs/1811.03897

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skal.text import DenseClassifier, DiverseEnsemble
    >>> X, y = make_blobs(100, centers=2, random_state=0)
    >>> clf = DenseClassifier((20,), lr=0.01, max_epochs=10, device="cpu")
    >>> ensemble = DiverseEnsemble(clf, n_estimators=3, random_state=0).fit(X, y)
    >>> ensemble.n_shared_epochs_
    3
    >>> ensemble.sample_proba(X).shape
    (3, 100, 2)
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict"])],
        "n_estimators": [Integral],
        "shared": [Interval(Real, 0, 1, closed="neither")],
        "stochastic": ["boolean"],
        "classes": ["array-like", None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator,
        *,
        n_estimators=5,
        shared=0.3,
        stochastic=False,
        classes=None,
        n_jobs=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.shared = shared
        self.stochastic = stochastic
        self.classes = classes
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Train the common start, then each member from there.

        Parameters
        ----------
        X : rows of length n
            What the estimator takes.
        y : array-like of shape (n,)
            Class labels.

        Returns
        -------
        self : DiverseEnsemble
            The fitted ensemble.

        Raises
        ------
        TypeError
            If the estimator is none of the two.
        ValueError
            If `n_estimators` is below 2 or the estimator plans fewer than two epochs;
            and what the estimator raises.
        """
        check_members(self)
        check_not_bare_string(X)
        seed = draw_seed(self.random_state)
        start = first_member(self, seed)
        n_shared, n_apart = self._epochs(start, num_rows(X))
        seeds = [draw_seed(stream(seed, m)) for m in range(1, self.n_estimators + 1)]
        with as_before_on_error(self), reraise_interrupt():
            start = unrounded(_trained(start, n_shared, X, y))
            members = Parallel(n_jobs=self.n_jobs)(
                delayed(_continued)(start, n_apart, own, X, y) for own in seeds
            )
            members = gathered(members, self.estimator)
            self.estimators_ = [self._as_given(member) for member in members]
            self.classes_ = start.classes_
            self.n_shared_epochs_ = n_shared
            self._note_features()
        return self

    def _epochs(self, start, n_rows):
        """How many epochs are trained together, and how many apart."""
        total = planned_epochs(start, max(n_rows, 1))
        if total < 2:
            raise ValueError(
                "DiverseEnsemble trains at least one epoch together and one apart. The "
                f"estimator plans {total}; give it max_epochs of at least 2."
            )
        n_shared = min(max(round(self.shared * total), 1), total - 1)
        return n_shared, total - n_shared

    def _as_given(self, member):
        """A member whose parameters are the estimator's, but seed and classes."""
        given = self.estimator.get_params()
        return member.set_params(**{name: given[name] for name in _CHANGED & {*given}})


# What is set for the sake of training in two parts.
_CHANGED = {"max_epochs", "min_steps", "warm_start"}


def _trained(classifier, n_epochs, X, y):
    """The classifier, fitted for so many epochs from where it is."""
    n_steps = {"min_steps": 0} if "min_steps" in classifier.get_params() else {}
    classifier.set_params(max_epochs=n_epochs, warm_start=True, **n_steps)
    return classifier.fit(X, y)


def _continued(start, n_epochs, seed, X, y):
    """A member: a copy of the common start that trains on by itself."""
    member = copy.copy(start).set_params(random_state=seed)
    with reraise_interrupt():
        return _trained(member, n_epochs, X, y)
