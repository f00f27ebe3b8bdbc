# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What batches cost the model, and how far they lie from its errors."""

import numpy as np

from skal.inspection._batch_display import BatchDisplay
from skal.inspection._drawing import check_installed
from skal.inspection._models import vectors_of
from skal.inspection._projection import project, with_others
from skal.metrics import boundary_divergence, first_step_loss
from skal.metrics._checks import check_labels
from skal.utils._capabilities import check_provides, compute_outputs
from skal.utils._random import draw_seed, stream
from skal.utils._rows import num_rows, take_rows


class LossDivergenceDisplay(BatchDisplay):
    """What each batch cost the model, and how far it lay from the model's errors.

    Good batches are in the upper left corner: their loss is large, and they lie where
    the errors along the decision boundary lie. :meth:`from_learners` makes it. All
    parameters are stored as attributes.

    Parameters
    ----------
    loss : dict of str to array-like of shape (n_batches,)
        For each method the mean loss of each batch before the model learned it.
    divergence : dict of str to array-like of shape (n_batches,)
        The divergence of the batch from the errors along the boundary; nan where it is
        not defined, which is not drawn.
    rounds : dict of str to array-like of int of shape (n_batches,)
        The round of each batch.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the picture.
    figure_ : matplotlib Figure
        The figure of these axes.
    scatters_ : list of matplotlib PathCollection
        The batches of each method.

    See Also
    --------
    skal.metrics.first_step_loss, skal.metrics.boundary_divergence : The measures.
    SelectionDisplay : A single batch, and the errors.

    References
    ----------
    C. Chen et al. REAL: a representative error-driven approach for active learning.
    ECML PKDD 2023, Figure 4. :doi:`10.1007/978-3-031-43412-9_2`

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import ActiveLearner
    >>> from skal.inspection import LossDivergenceDisplay
    >>> X, y = make_blobs(200, cluster_std=3.0, random_state=0)
    >>> learner = ActiveLearner(
    ...     LogisticRegression(), budget=50, keep_estimators=True, random_state=0
    ... )
    >>> learners = {"entropy": learner.fit(X, y)}
    >>> display = LossDivergenceDisplay.from_learners(learners, X, y, n_bins=10)
    >>> display.rounds["entropy"].tolist()
    [1, 2, 3, 4]
    """

    _x = "divergence", "divergence from the errors at the boundary (nats)"
    _y = "loss", "loss of the batch before training (nats)"

    def __init__(self, *, loss, divergence, rounds):
        self.loss = loss
        self.divergence = divergence
        self.rounds = rounds

    @classmethod
    def from_learners(
        cls,
        learners,
        X,
        y,
        *,
        projection=None,
        max_points=2000,
        n_bins=50,
        top=0.15,
        random_state=None,
        ax=None,
        **plot_params,
    ):
        """Draw all batches that learners bought, but the initial rows.

        Parameters
        ----------
        learners : dict of str to ActiveLearner
            Fitted on X and y with a `budget` and ``keep_estimators=True``.
        X : sequence of length n
            What they were fitted on.
        y : array-like of shape (n,)
            Its labels.
        projection : transformer, default=None
            What brings embeddings into the plane by its `fit_transform`; is cloned and
            fitted for each batch. None: t-SNE, which takes its time; two dimensions are
            taken as they are.
        max_points : int, default=2000
            Of a larger pool so many random rows, and those of the batch, are projected.
        n_bins : int, default=50
            Of :func:`~skal.metrics.boundary_divergence`. A small pool takes less.
        top : float, default=0.15
            Of the same.
        random_state : int, RandomState instance or None, default=None
            Where draws and an open `random_state` of the projection come from.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **plot_params : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : LossDivergenceDisplay
            As it was drawn.

        Raises
        ------
        ValueError
            If a learner has not kept its models, or bought other rows than those of X.
        MissingCapabilityError
            If a classifier has no probabilities, or reads texts and does not embed
            them.
        ImportError
            If matplotlib is not installed.
        """
        check_installed("matplotlib", f"{cls.__name__}.from_learners")
        y = check_labels(y, num_rows(X))
        seed = draw_seed(random_state)
        options = {"n_bins": n_bins, "top": top}
        found = {name: [] for name in learners}
        for name, learner in learners.items():
            for round_, model, rows, open_rows in _batches(learner, name, len(y)):
                rng = stream(seed, round_)
                shown = with_others(rows, open_rows, max_points, rng)
                pool = take_rows(X, shown), y[shown], np.searchsorted(shown, rows)
                proba = _proba(model, pool[0], learner.classes_)
                vectors = vectors_of(model, pool[0], cls.__name__)
                points, _ = project(vectors, projection, seed)
                measured = _measured(
                    proba, points, *pool[1:], learner.classes_, options
                )
                found[name].append((*measured, round_))
        columns = {name: np.reshape(lines, (-1, 3)).T for name, lines in found.items()}
        display = cls(
            loss={name: column[0] for name, column in columns.items()},
            divergence={name: column[1] for name, column in columns.items()},
            rounds={name: column[2].astype(int) for name, column in columns.items()},
        )
        return display.plot(ax, **plot_params)


def _batches(learner, name, n_rows):
    """Round, the model that picked, the rows picked, the rows it could pick from."""
    if not hasattr(learner, "estimators_") or not hasattr(learner, "rounds_"):
        raise ValueError(
            "Learners must have bought labels and kept the model of each round. "
            f"{name!r} has not; fit it with a budget and keep_estimators=True."
        )
    is_open = np.ones(n_rows, dtype=bool)
    for entry in learner.rounds_:
        rows = entry["rows"]
        if rows.max() >= n_rows:
            raise ValueError(
                "X and y must be what the learners were fitted on. Got "
                f"{n_rows} rows, and {name!r} bought row {rows.max()}."
            )
        if entry["round"]:
            model = learner.estimators_[entry["round"] - 1]
            yield entry["round"], model, rows, np.flatnonzero(is_open)
        is_open[rows] = False


def _proba(model, X, classes):
    check_provides("LossDivergenceDisplay", model, {"proba"}, X)
    return compute_outputs(model, X, {"proba"}, classes)["proba"]


def _measured(proba, points, y, rows, classes, options):
    """Loss and divergence of a batch."""
    predicted = classes[proba.argmax(axis=1)]
    loss = first_step_loss(y, proba, rows, classes=classes)
    return loss, boundary_divergence(points, y, predicted, rows, **options)
