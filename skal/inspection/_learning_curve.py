# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Scores by labels bought, or by seconds waited."""

import numpy as np

from skal.inspection._drawing import (
    INTERVAL,
    add_legend_beside,
    axes_for,
    check_curves,
    draw_curves,
    note_of,
)
from skal.metrics import learning_curves
from skal.metrics._table import read_table, score_column
from skal.utils._sklearn import StrOptions, validate_parameter_constraints

# What an annotator waits for: all that happens between two batches.
_WAITED = ("encode_time", "filter_time", "look_time", "select_time", "fit_time")
_CONSTRAINTS = {
    "x": [StrOptions({"labels", "seconds"})],
    "add_legend": ["boolean"],
    **INTERVAL,
}


class LearningCurveDisplay:
    """Learning curves: the mean over seeds, and an interval around it.

    :meth:`from_simulation` makes it. All parameters are stored as attributes.

    Parameters
    ----------
    scores : dict of str to array-like of shape (n_seeds, n_points)
        For each method the score after each round, one run per row. Shorter runs are
        padded with nan.
    n_labeled : dict of str to array-like of shape (n_seeds, n_points)
        How many rows were labelled then, of the same shapes; nan where a run is over.
    seconds : dict of str to array-like of shape (n_seeds, n_points), default=None
        How long an annotator had waited by then, in all.
    score_name : str, default="score"
        What the scores are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        The figure of these axes.
    lines_ : list of matplotlib Line2D
        The mean curve of each method.
    bands_ : list of matplotlib PolyCollection
        The intervals, none of a single run.

    See Also
    --------
    skal.simulate : Where the curves come from.
    skal.metrics.learning_curves : The curves as arrays.
    SubpoolDisplay : What the strategies could choose from.

    Notes
    -----
    By seconds, a point is the mean score after a round at the mean of the seconds. A
    method is drawn as far as all of its runs go, because a mean over fewer of them
    would jump there. Where a score is nan there is a gap.

    The interval "confidence" is Student's, of the mean: it takes the scores of the
    seeds for normally distributed. Intervals that overlap do not show that there is no
    difference: for that see :func:`~skal.metrics.paired_permutation_test`.

    Examples
    --------
    >>> from skal.inspection import LearningCurveDisplay
    >>> display = LearningCurveDisplay(
    ...     scores={"a": [[0.5, 0.7], [0.6, 0.7]], "b": [[0.5, 0.6], [0.6, 0.6]]},
    ...     n_labeled={"a": [[10, 20], [10, 20]], "b": [[10, 20], [10, 20]]},
    ...     score_name="accuracy",
    ... )
    >>> display.plot().ax_.get_ylabel()
    'accuracy'
    """

    def __init__(self, *, scores, n_labeled, seconds=None, score_name="score"):
        self.scores = scores
        self.n_labeled = n_labeled
        self.seconds = seconds
        self.score_name = score_name

    def plot(
        self,
        ax=None,
        *,
        x="labels",
        interval="confidence",
        confidence_level=0.95,
        add_legend=True,
    ):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        x : {"labels", "seconds"}, default="labels"
            The labels bought, or the seconds waited for queries and training.
        interval : {"confidence", "std", "range"} or None, default="confidence"
            The band over the seeds: Student's confidence interval of the mean, one
            standard deviation to each side, the lowest to the highest, or none.
        confidence_level : float, default=0.95
            Of the first of these.
        add_legend : bool, default=True
            Whether the axes get a legend, beside them.

        Returns
        -------
        self : object
            The display.

        Raises
        ------
        ValueError
            If curves differ in names or lengths, there are no seconds, or a parameter
            is not one of the above.
        ImportError
            If matplotlib is not installed.
        """
        params = {k: v for k, v in locals().items() if k in _CONSTRAINTS}
        name = f"{type(self).__name__}.plot"
        validate_parameter_constraints(_CONSTRAINTS, params, name)
        n_labeled = check_curves(self.n_labeled, "n_labeled")
        of_labels = n_labeled, "n_labeled"
        scores = check_curves(self.scores, "scores", of_labels)
        xs = n_labeled if x == "labels" else self._seconds(of_labels)
        self.ax_ = axes_for(name, ax)
        self.figure_ = self.ax_.figure
        band = {"interval": interval, "confidence_level": confidence_level}
        self.lines_, self.bands_ = draw_curves(self.ax_, xs, scores, **band)
        self._label(x)
        if add_legend:
            note = note_of(scores, self.bands_, **band)
            add_legend_beside(self.ax_, self.lines_, note)
        return self

    def _seconds(self, of_labels):
        if self.seconds is None:
            raise ValueError(
                "x='seconds' takes the seconds waited, and the display has none. Give "
                "seconds=, or a simulation with all its columns of times."
            )
        return check_curves(self.seconds, "seconds", of_labels)

    def _label(self, x):
        from matplotlib.ticker import MaxNLocator

        titles = {"labels": "labels bought", "seconds": "seconds waited"}
        self.ax_.set(xlabel=titles[x], ylabel=self.score_name)
        self.ax_.xaxis.set_major_locator(MaxNLocator(6, integer=x == "labels"))

    @classmethod
    def from_simulation(
        cls, table, scoring=None, *, dataset=None, pad=False, ax=None, **plot_params
    ):
        """Draw the curves in the table of a simulation.

        Parameters
        ----------
        table : Bunch, dict, pandas.DataFrame or path-like
            What :func:`~skal.simulate` returned, or the folder it was given.
        scoring : str, default=None
            The column of scores, such as ``"f1_macro"``. None: the only one.
        dataset : str, default=None
            Which data set. None: the only one.
        pad : bool, default=False
            Whether runs may differ in length.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **plot_params : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : LearningCurveDisplay
            As it was drawn.

        Raises
        ------
        ValueError
            If the table lacks a column or a round, runs differ in length without `pad`,
            or the folder is of another version of skal.
        TypeError
            If `table` is something else.
        ImportError
            If matplotlib is not installed.
        """
        table = read_table(table)
        name = score_column(table, scoring)

        def curves(column):
            return learning_curves(table, column, dataset=dataset, pad=pad)

        scores, seconds = curves(name), None
        if set(_WAITED) <= set(table):
            parts = [curves(column) for column in _WAITED]
            seconds = {
                key: np.cumsum(sum(part[key] for part in parts), axis=1)
                for key in scores
            }
        display = cls(
            scores=scores,
            n_labeled=curves("n_labeled"),
            seconds=seconds,
            score_name=name.removeprefix("test_").replace("_", " "),
        )
        return display.plot(ax, **plot_params)
