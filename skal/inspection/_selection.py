# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The pool in the plane: what was picked, what is wrong, where classes meet."""

from numbers import Integral

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from skal.inspection._drawing import (
    COLORS,
    GREY,
    add_legend_beside,
    axes_for,
    check_installed,
)
from skal.inspection._models import classifier_of, vectors_of
from skal.inspection._projection import project, with_others
from skal.metrics._checks import (
    check_labels,
    check_points,
    check_predictions,
    check_rows,
)
from skal.utils._random import draw_seed, stream
from skal.utils._rows import take_rows
from skal.utils._sklearn import Interval, validate_parameter_constraints
from skal.utils._validation import check_pool

_CONSTRAINTS = {"regions": ["boolean"], "add_legend": ["boolean"]}
_OF_POINTS = {"max_points": [Interval(Integral, 3, None, closed="left")]}
# Colours of classes; black is for errors and picks, grey for all other classes.
_COLORS = [color for color in COLORS if color not in ("#000000", GREY)]
_GRID, _N_NEIGHBORS = 150, 15


class SelectionDisplay:
    """The pool in the plane, with the rows picked and the rows predicted wrongly.

    :meth:`from_estimator` makes it. All parameters are stored as attributes.

    Parameters
    ----------
    points : array-like of shape (n, 2)
        The pool in the plane.
    y_pred : array-like of shape (n,)
        What the model predicted of it when the rows were picked.
    rows : array-like of int of shape (b,)
        The rows picked: positions in the pool.
    y_true : array-like of shape (n,), default=None
        The labels of the pool, to tell which predictions are wrong.
    axis_name : str, default="dimension"
        What the two axes are called.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the picture.
    figure_ : matplotlib Figure
        The figure of these axes.
    pool_ : list of matplotlib PathCollection
        The rows of each predicted class, the most frequent first; the last may be that
        of all other classes.
    errors_ : matplotlib PathCollection or None
        The rows predicted wrongly.
    picks_ : matplotlib PathCollection
        The rows picked.
    surface_ : matplotlib QuadMesh or None
        The regions of the classes.

    See Also
    --------
    skal.metrics.boundary_divergence : How differently picks and errors lie there.
    skal.metrics.error_lift : How much richer in errors than the pool the picks are.

    Notes
    -----
    The regions are those of the class most frequently predicted among the 15 nearest
    points of the picture: no classifier is defined on a projection. What is near in it
    need not be near in the embedding.

    More than six classes share the last colour. Errors are crosses and picks are rings,
    so that they are told apart without any colour.

    References
    ----------
    C. Chen et al. REAL: a representative error-driven approach for active learning.
    ECML PKDD 2023, Figure 3. :doi:`10.1007/978-3-031-43412-9_2`

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal.inspection import SelectionDisplay
    >>> X, y = make_blobs(200, random_state=0)
    >>> classifier = LogisticRegression().fit(X[:20], y[:20])
    >>> rows = classifier.predict_proba(X).max(axis=1).argsort()[:10]
    >>> display = SelectionDisplay.from_estimator(classifier, X, rows, y)
    >>> len(display.picks_.get_offsets())
    10
    """

    def __init__(self, *, points, y_pred, rows, y_true=None, axis_name="dimension"):
        self.points = points
        self.y_pred = y_pred
        self.rows = rows
        self.y_true = y_true
        self.axis_name = axis_name

    def plot(self, ax=None, *, regions=True, add_legend=True):
        """Draw the pool.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        regions : bool, default=True
            Whether to colour the regions of the predicted classes.
        add_legend : bool, default=True
            Whether the axes get a legend, beside them.

        Returns
        -------
        self : object
            The display.

        Raises
        ------
        ValueError
            If lengths differ, a point is not finite, or `rows` is not a batch.
        ImportError
            If matplotlib is not installed.
        """
        name = f"{type(self).__name__}.plot"
        params = {"regions": regions, "add_legend": add_legend}
        validate_parameter_constraints(_CONSTRAINTS, params, name)
        points = check_points(self.points)
        y_pred = check_labels(self.y_pred, len(points), "y_pred")
        rows = check_rows(self.rows, len(points))
        wrong = None
        if self.y_true is not None:
            _, wrong = check_predictions(self.y_true, y_pred, len(points))
        self.ax_ = axes_for(name, ax)
        self.figure_ = self.ax_.figure
        groups, codes = _groups(y_pred)
        self.surface_ = self._draw_regions(points, codes) if regions else None
        self.pool_ = self._draw_pool(points, groups, codes)
        self.errors_ = None if wrong is None else self._draw_errors(points, wrong)
        self.picks_ = self._draw_picks(points, rows, wrong)
        self.ax_.set(xlabel=f"{self.axis_name} 1", ylabel=f"{self.axis_name} 2")
        self.ax_.set(xticks=[], yticks=[])
        if add_legend:
            drawn = [*self.pool_, self.errors_, self.picks_]
            drawn = [artist for artist in drawn if artist is not None]
            legend = add_legend_beside(self.ax_, drawn, "predicted class")
            _enlarge(legend, len(self.pool_))
        return self

    def _draw_regions(self, points, codes):
        from matplotlib.colors import ListedColormap

        low, high = points.min(axis=0), points.max(axis=0)
        margin = 0.04 * np.where(high > low, high - low, 1)
        low, high = low - margin, high + margin
        x, y = (np.linspace(*ends, _GRID) for ends in zip(low, high, strict=True))
        model = KNeighborsClassifier(min(_N_NEIGHBORS, len(points))).fit(points, codes)
        grid = np.column_stack([axis.ravel() for axis in np.meshgrid(x, y)])
        predicted = model.predict(grid).reshape(_GRID, _GRID)
        return self.ax_.pcolormesh(
            x,
            y,
            predicted,
            cmap=ListedColormap([*_COLORS, GREY]),
            vmin=-0.5,
            vmax=len(_COLORS) + 0.5,
            alpha=0.22,
            shading="nearest",
            linewidth=0,
            rasterized=True,
        )

    def _draw_pool(self, points, groups, codes):
        colors = [*_COLORS, GREY]
        return [
            self.ax_.scatter(
                *points[codes == code].T, s=9, color=colors[code], label=str(label)
            )
            for code, label in groups.items()
        ]

    def _draw_errors(self, points, wrong):
        return self.ax_.scatter(
            *points[wrong].T,
            s=22,
            marker="x",
            color="black",
            linewidths=0.9,
            label=f"errors: {wrong.mean():.0%} of all",
        )

    def _draw_picks(self, points, rows, wrong):
        from matplotlib.patheffects import withStroke

        note = "" if wrong is None else f", {wrong[rows].mean():.0%} errors"
        return self.ax_.scatter(
            *points[rows].T,
            s=75,
            facecolors="none",
            edgecolors="black",
            linewidths=1.6,
            path_effects=[withStroke(linewidth=3.2, foreground="white")],
            label=f"picked: {len(rows)}{note}",
            zorder=3,
        )

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        rows,
        y=None,
        *,
        projection=None,
        max_points=2000,
        random_state=None,
        ax=None,
        **plot_params,
    ):
        """Draw a pool as a classifier sees it.

        Parameters
        ----------
        estimator : fitted classifier or ActiveLearner
            The one that the rows were picked by: before it learned them.
        X : sequence of length n
            The pool.
        rows : array-like of int of shape (b,)
            The rows picked: positions in X.
        y : array-like of shape (n,), default=None
            The labels of the pool, to tell which predictions are wrong.
        projection : transformer, default=None
            What brings embeddings into the plane by its `fit_transform`; is cloned.
            None: t-SNE, after a reduction to 50 dimensions; two dimensions are taken as
            they are.
        max_points : int, default=2000
            Of a larger pool so many rows are drawn at random, and all those picked.
        random_state : int, RandomState instance or None, default=None
            Where draws and an open `random_state` of the projection come from.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **plot_params : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : SelectionDisplay
            As it was drawn. Its `rows` are positions among the rows that were drawn.

        Raises
        ------
        MissingCapabilityError
            If the classifier reads texts and does not embed them.
        ValueError
            If `rows` is not a batch of X, or y differs in length.
        ImportError
            If matplotlib is not installed.
        """
        name = f"{cls.__name__}.from_estimator"
        check_installed("matplotlib", name)
        validate_parameter_constraints(_OF_POINTS, {"max_points": max_points}, name)
        n_rows = check_pool(X, name="X")
        rows = check_rows(rows, n_rows)
        y = None if y is None else check_labels(y, n_rows, "y")
        seed = draw_seed(random_state)
        shown = with_others(rows, np.arange(n_rows), max_points, stream(seed, 1))
        classifier, X = classifier_of(estimator), take_rows(X, shown)
        vectors = vectors_of(classifier, X, cls.__name__)
        points, axis_name = project(vectors, projection, seed)
        display = cls(
            points=points,
            y_pred=np.asarray(classifier.predict(X)),
            rows=np.searchsorted(shown, rows),
            y_true=None if y is None else y[shown],
            axis_name=axis_name,
        )
        return display.plot(ax, **plot_params)


def _groups(y_pred):
    """{code: label} of the classes that have a colour, and each row's code."""
    classes, codes, counts = np.unique(y_pred, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    place = np.empty(len(classes), dtype=np.int64)
    place[order] = np.minimum(np.arange(len(classes)), len(_COLORS))
    groups = dict(enumerate(classes[order[: len(_COLORS)]].tolist()))
    if len(classes) > len(_COLORS):
        groups[len(_COLORS)] = f"{len(classes) - len(_COLORS)} others"
    return groups, place[codes]


def _enlarge(legend, n_classes):
    """Larger dots for classes: small ones show no colour."""
    for handle in legend.legend_handles[:n_classes]:
        handle.set_sizes([40])
