# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""An ensemble whose members are moments of one training run."""

import copy
from numbers import Integral

from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin

from skal.text._members import check_members, first_member
from skal.utils._ensemble import EnsembleMixin
from skal.utils._random import draw_seed, stream
from skal.utils._rollback import as_before_on_error
from skal.utils._sklearn import HasMethods, fit_context


class SnapshotEnsemble(
    EnsembleMixin, ClassifierMixin, MetaEstimatorMixin, BaseEstimator
):
    r"""Train one network, and keep it whenever its learning rate has fallen.

    The learning rate falls from its highest to almost 0 in each of M cycles and starts
    over: step t of T uses

    .. math:: \frac{\alpha_0}{2} \left( \cos \frac{\pi \, \bmod(t - 1, \lceil T / M
        \rceil)}{\lceil T / M \rceil} + 1 \right)

    so that the network comes to rest in several places [1]_. What it is at the end of
    each cycle is a member: an ensemble for the time of one training run. It predicts by
    the mean of the members' probabilities; `sample_proba` gives them one by one.

    Parameters
    ----------
    estimator : TransformerClassifier or DenseClassifier
        What is trained, for as many epochs as it says. Its `lr` is the highest rate;
        its `warmup_ratio` and `lr_schedule` are not read.
    n_estimators : int, default=5
        How many cycles, M, and so members; at least 2.
    stochastic : bool, default=False
        Whether the samples are drawn with the members' own dropout, from one member
        after the other, so that there can be more samples than members [2]_.
    classes : array-like of shape (n_classes,), default=None
        All labels that may ever occur; passed on to the estimator. None leaves it to
        the estimator's own.
    random_state : int, RandomState instance or None, default=None
        Draws the seeds, which replace the estimator's `random_state`: one of the
        training run, and one of each member's dropout.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    estimators_ : list of classifier
        The members in the order of the cycles: fitted classifiers that share the
        tokenizer and all else but their weights. The last is the network as it was when
        training ended.
    history_ : list of dict
        For each epoch of the run: "epoch" (from 1), "train_loss" and "seconds".
    n_epochs_ : int
        Epochs completed.
    n_steps_ : int
        Optimiser steps taken, T.
    training_dynamics_ : Bunch
        What the network said of each training row in each epoch: ``gold_proba`` and
        ``correct``, as of the estimator.
    n_features_in_ : int
        Number of features of X, where the estimator counts them.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where the estimator notes them.

    See Also
    --------
    DiverseEnsemble : Members that are trained apart after a common start.
    skal.Committee : Members that are trained apart from the start: dearer, better.
    skal.functional.cyclic_cosine : The schedule.

    Notes
    -----
    Time of `fit` is that of the estimator, of a query that of `n_estimators` of them;
    texts are tokenised once. Memory beside one network: `n_estimators` - 1 sets of
    weights, in main memory while training and then on the device (4 bytes a weight: 440
    MB for each further member of BERT base); a file holds each member's weights, and
    the tokenizer once.

    Cycles have to be long enough for the network to settle. Members that are a few
    steps apart differ in how sure they are, everywhere, rather than in where the border
    between classes lies.

    The optimiser is not started anew with a cycle, only its learning rate is. There is
    no warm-up. A training that a callback ends early has fewer members: those whose
    cycle was complete, and the network as it was then. A `fit` that fails or is
    interrupted leaves the previous ensemble as it was.

    There is no `embed`: each member has a representation of its own.

    All ensembles that are cheaper than a committee are less diverse than one, and were
    less good at active learning on images [3]_.

    References
    ----------
    .. [1] G. Huang, Y. Li, G. Pleiss, Z. Liu, J. E. Hopcroft and K. Q. Weinberger.
       Snapshot Ensembles: Train 1, Get M for Free. ICLR 2017.
       https://arxiv.org/abs/1704.00109
    .. [2] R. Pop and P. Fulop. Deep Ensemble Bayesian Active Learning. 2018.
       https://arxiv.org/abs/1811.03897
    .. [3] W. H. Beluch, T. Genewein, A. Nürnberger and J. M. Köhler. The Power of
       Ensembles for Active Learning in Image Classification. CVPR 2018.
       :doi:`10.1109/CVPR.2018.00976`

    Examples
    --------
    >>> from skal import TransformerClassifier
    >>> from skal.text import SnapshotEnsemble
    >>> clf = TransformerClassifier("skal-tiny", lr=1e-3, min_steps=20)
    >>> ensemble = SnapshotEnsemble(clf, n_estimators=2, random_state=0)
    >>> X = ["Draw a line.", "Plot the points.", "Sum the rows.", "Add two numbers."]
    >>> y = ["picture", "picture", "number", "number"]
    >>> ensemble.fit(X, y).predict(["Draw the points."])
    array(['picture'], dtype='<U7')
    >>> ensemble.sample_proba(["Draw the points.", "Add the rows."]).shape
    (2, 2, 2)
    """

    # Says before the first fit that training is recorded: strategies ask the class.
    training_dynamics_ = None

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict"])],
        "n_estimators": [Integral],
        "stochastic": ["boolean"],
        "classes": ["array-like", None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator,
        *,
        n_estimators=5,
        stochastic=False,
        classes=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.stochastic = stochastic
        self.classes = classes
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Train the network once and keep it at the end of each cycle.

        Parameters
        ----------
        X : rows of length n
            What the estimator takes.
        y : array-like of shape (n,)
            Class labels.

        Returns
        -------
        self : SnapshotEnsemble
            The fitted ensemble.

        Raises
        ------
        TypeError
            If the estimator is none of the two.
        ValueError
            If `n_estimators` is below 2 or the planned steps do not make so many
            cycles; and what the estimator raises.
        """
        from skal import neural

        check_members(self)
        seed = draw_seed(self.random_state)
        last = first_member(self, seed)
        recipe = neural.SnapshotRecipe(self.n_estimators)
        last._fit(X, y, recipe)
        with as_before_on_error(self):
            self.estimators_ = [*_earlier(last, recipe.snapshots, seed), last]
            self.classes_ = last.classes_
            self.history_ = last.history_
            self.n_epochs_, self.n_steps_ = last.n_epochs_, last.n_steps_
            self.training_dynamics_ = last.training_dynamics_
            self._note_features()
        return self


def _earlier(last, snapshots, seed):
    """The members before the last one, whose dropout has seeds of its own."""
    for cycle, (step, weights) in enumerate(snapshots.items(), start=1):
        if step < last.n_steps_:  # a callback may end training where a cycle ends
            module = copy.deepcopy(last.net_.module_)
            module.load_state_dict(weights)
            yield last._with_module(module, draw_seed(stream(seed, cycle)))
