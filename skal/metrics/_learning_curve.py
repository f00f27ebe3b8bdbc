# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Summaries of a learning curve."""

import copy
import math

from sklearn.metrics import check_scoring, get_scorer
from sklearn.utils.validation import check_array

from skal.exceptions import MissingCapabilityError
from skal.utils._sklearn import validate_parameter_constraints

_CONSTRAINTS = {"scoring": [str, callable, None], "normalize": ["boolean"]}


def learning_curve_auc(values, *, normalize=False):
    r"""Area under a learning curve, in rounds.

    The trapezoidal rule with one round as the unit of the x-axis, as in the AnchorAL
    paper [1]_: with the scores :math:`f_0, \dots, f_T` after each round,

    .. math:: \mathrm{AUC} = \sum_{t=1}^{T} \frac{f_{t-1} + f_t}{2} .

    Its largest value is the number of rounds times the largest score, so areas of runs
    with different numbers of rounds compare only when normalized.

    Parameters
    ----------
    values : array-like of shape (n_rounds + 1,)
        The score after each round, starting with round 0 (the seed labels alone).
    normalize : bool, default=False
        Divide by the number of rounds: the mean height of the curve. The curve of a
        single point has none, which gives nan.

    Returns
    -------
    float
        The area; 0.0 for a single point.

    Raises
    ------
    ValueError
        If `values` is empty, not one-dimensional or not numeric, or if it holds nan or
        infinity.
    TypeError
        If `values` is a single number.

    Notes
    -----
    Costs O(n_rounds).

    References
    ----------
    .. [1] Lesci, P. and Vlachos, A. (2024). AnchorAL: Computationally efficient active
       learning for large and imbalanced datasets. NAACL, appendix B.

    Examples
    --------
    >>> from skal.metrics import learning_curve_auc
    >>> learning_curve_auc([0.25, 0.5, 0.75])
    1.0
    >>> learning_curve_auc([0.25, 0.5, 0.75], normalize=True)
    0.5
    """
    values = check_array(
        values, dtype="float64", ensure_2d=False, allow_nd=True, input_name="values"
    )
    if values.ndim != 1:
        raise ValueError(
            "values must be one-dimensional: one score per round of one run. Got an "
            f"array of shape {values.shape}. Call learning_curve_auc once per run."
        )
    n_rounds = len(values) - 1
    area = float((values[:-1] + values[1:]).sum() / 2)
    if not normalize:
        return area
    return area / n_rounds if n_rounds else math.nan


def make_learning_curve_scorer(scoring=None, *, normalize=False):
    """Make a scorer that gives the area under the learning curve.

    For `scoring` in a search over parameters or in
    :func:`~sklearn.model_selection.cross_validate`: where other scorers judge the model
    of the last round alone, this one scores the model of each round on the held-out
    rows and returns :func:`learning_curve_auc` of these scores. It takes an
    :class:`~skal.ActiveLearner` with ``keep_estimators=True`` and a `budget`.

    Parameters
    ----------
    scoring : str, callable or None, default=None
        How a single model is scored: a name such as ``"f1_macro"``, or a scorer with
        the signature ``scorer(estimator, X, y)``. None takes the learner's own `score`,
        accuracy.
    normalize : bool, default=False
        Divide by the number of rounds. Candidates that differ in it, in `n_queries` for
        example, compare only then.

    Returns
    -------
    scorer : callable
        ``scorer(learner, X, y)`` returns a float, larger is better. It can be pickled.

    Raises
    ------
    ValueError
        If a parameter has a wrong type or `scoring` is no known name.

    See Also
    --------
    learning_curve_auc : The area itself, and its definition.
    skal.simulate : The whole curves, for several seeds.

    Notes
    -----
    Costs the prediction of all held-out rows by the model of every round. Where the
    learner did not keep these models, the scorer raises MissingCapabilityError.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skal import ActiveLearner
    >>> from skal.metrics import make_learning_curve_scorer
    >>> from skal.strategies import Entropy, RandomSampling
    >>> X, y = make_blobs(200, cluster_std=3.0, random_state=0)
    >>> learner = ActiveLearner(
    ...     LogisticRegression(), budget=50, keep_estimators=True, random_state=0
    ... )
    >>> search = GridSearchCV(
    ...     learner,
    ...     {"strategy": [Entropy(), RandomSampling()]},
    ...     scoring=make_learning_curve_scorer("f1_macro", normalize=True),
    ... ).fit(X, y)
    >>> search.cv_results_["mean_test_score"].shape
    (2,)
    """
    params = {"scoring": scoring, "normalize": normalize}
    name = "make_learning_curve_scorer"
    validate_parameter_constraints(_CONSTRAINTS, params, name)
    if isinstance(scoring, str):
        get_scorer(scoring)
    return _LearningCurveScorer(scoring, normalize)


class _LearningCurveScorer:
    def __init__(self, scoring, normalize):
        self.scoring, self.normalize = scoring, normalize

    def __call__(self, learner, X, y):
        if not hasattr(learner, "staged_predict"):
            raise MissingCapabilityError(
                "The area under the learning curve takes the model of every round. "
                f"{type(learner).__name__} did not keep them; score a "
                "skal.ActiveLearner that was fitted with keep_estimators=True."
            )
        scorer = check_scoring(learner, scoring=self.scoring)
        scores = [scorer(stage, X, y) for stage in _stages(learner)]
        return learning_curve_auc(scores, normalize=self.normalize)

    def __repr__(self):
        return (
            f"make_learning_curve_scorer({self.scoring!r}, normalize={self.normalize})"
        )


def _stages(learner):
    """The learner as it was after each round; what `staged_predict` predicts by."""
    for estimator in learner.estimators_:
        stage = copy.copy(learner)
        stage.estimator_ = estimator
        yield stage
