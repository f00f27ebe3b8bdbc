# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What strategies could choose from, and what of the rare class they found."""

import numpy as np

from skal.inspection._drawing import (
    INTERVAL,
    add_legend_beside,
    axes_for,
    check_curves,
    draw_curves,
    note_of,
)
from skal.metrics import learning_curves, minority_discovery, queried_labels
from skal.metrics._checks import check_labels
from skal.metrics._table import read_table, runs_of
from skal.utils._sklearn import StrOptions, validate_parameter_constraints

_LABELS = {
    "size": "rows in the subpool",
    "share": "minority share of the subpool",
    "found": "minority share of the labels",
}
_CONSTRAINTS = {
    "kind": [StrOptions(set(_LABELS))],
    "add_legend": ["boolean"],
    **INTERVAL,
}
# From which ratio of the largest to the smallest subpool the axis is logarithmic.
_WIDE = 20


class SubpoolDisplay:
    """What each learner's strategy could choose from, and the rare rows it found.

    :meth:`from_simulation` makes it. All parameters are stored as attributes.

    Parameters
    ----------
    n_labeled : dict of str to array-like of shape (n_seeds, n_points)
        For each method how many labels were bought after each round, one run per row;
        nan where a run is over.
    size : dict of str to array-like of shape (n_seeds, n_points)
        How many rows the strategy saw, nan in round 0.
    share : dict of str to array-like of shape (n_seeds, n_points)
        The share of the rare class among them.
    found : dict of str to array-like of shape (n_seeds, n_points)
        The share of the rare class among all rows asked for so far.

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
    skal.filters : What makes a subpool.
    skal.metrics.subpool_composition, skal.metrics.minority_discovery : The shares.
    LearningCurveDisplay : The scores.

    Notes
    -----
    A strategy without a filter sees all rows that nobody has asked for yet; its size
    and share are those of these rows. Means over the seeds are arithmetic; those of the
    paper's Figures 3 and 4 are geometric, over strategies.

    References
    ----------
    P. Lesci, A. Vlachos. AnchorAL: computationally efficient active learning for large
    and imbalanced datasets. NAACL 2024, Figures 2 to 4.
    :doi:`10.18653/v1/2024.naacl-long.467`

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skal import ActiveLearner, simulate
    >>> from skal.filters import RandSub
    >>> from skal.inspection import SubpoolDisplay
    >>> X, y = make_blobs([190, 10], random_state=0)
    >>> learner = ActiveLearner(LogisticRegression(), RandSub(max_subpool=50))
    >>> protocol = {"n_rounds": 2, "n_queries": 5, "initial": {0: 3, 1: 2}, "seeds": 1}
    >>> table = simulate(learner, (X, y, X, y), **protocol)
    >>> display = SubpoolDisplay.from_simulation(table, y, minority=1)
    >>> display.size["learner"].tolist()
    [[nan, 50.0, 50.0]]
    """

    def __init__(self, *, n_labeled, size, share, found):
        self.n_labeled = n_labeled
        self.size = size
        self.share = share
        self.found = found

    def plot(
        self,
        ax=None,
        *,
        kind="size",
        interval="confidence",
        confidence_level=0.95,
        add_legend=True,
    ):
        """Draw one of the three quantities against the labels bought.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        kind : {"size", "share", "found"}, default="size"
            Which: the rows in the subpool, the share of the rare class among them, or
            its share among all rows asked for so far.
        interval : {"confidence", "std", "range"} or None, default="confidence"
            The band over the seeds, as in :meth:`LearningCurveDisplay.plot`.
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
            If curves differ in names or lengths, or a parameter is not one of the
            above.
        ImportError
            If matplotlib is not installed.
        """
        params = {k: v for k, v in locals().items() if k in _CONSTRAINTS}
        name = f"{type(self).__name__}.plot"
        validate_parameter_constraints(_CONSTRAINTS, params, name)
        n_labeled = check_curves(self.n_labeled, "n_labeled")
        values = check_curves(getattr(self, kind), kind, (n_labeled, "n_labeled"))
        self.ax_ = axes_for(name, ax)
        self.figure_ = self.ax_.figure
        band = {"interval": interval, "confidence_level": confidence_level}
        self.lines_, self.bands_ = draw_curves(self.ax_, n_labeled, values, **band)
        self._label(kind, np.concatenate([v.ravel() for v in values.values()]))
        if add_legend:
            note = note_of(values, self.bands_, **band)
            add_legend_beside(self.ax_, self.lines_, note)
        return self

    def _label(self, kind, values):
        from matplotlib.ticker import MaxNLocator, PercentFormatter

        self.ax_.set(xlabel="labels bought", ylabel=_LABELS[kind])
        self.ax_.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        if kind != "size":
            self.ax_.yaxis.set_major_formatter(PercentFormatter(1))
        positive = values[values > 0]
        if (
            kind == "size"
            and positive.size
            and np.ptp(np.log(positive)) > np.log(_WIDE)
        ):
            self.ax_.set_yscale("log")
        else:
            self.ax_.set_ylim(bottom=0)

    @classmethod
    def from_simulation(
        cls,
        table,
        y,
        minority,
        *,
        classes=None,
        dataset=None,
        pad=False,
        ax=None,
        **plot_params,
    ):
        """Draw what the table of a simulation says.

        Parameters
        ----------
        table : Bunch, dict, pandas.DataFrame or path-like
            What :func:`~skal.simulate` returned, or the folder it was given.
        y : array-like of shape (n,)
            The true labels of the data set's pool.
        minority : label or array-like of labels
            The rare class or classes.
        classes : array-like, default=None
            All labels, those of the test rows included. None: those in `y`.
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
        display : SubpoolDisplay
            As it was drawn.

        Raises
        ------
        ValueError
            If the table lacks a column or a round, runs differ in length without `pad`,
            `minority` is not among the labels, or the folder is of another version of
            skal.
        TypeError
            If `table` is something else.
        ImportError
            If matplotlib is not installed.
        """
        table, y = read_table(table), check_labels(y)
        is_rare = _is_rare(y, minority)
        labels = np.unique(y) if classes is None else np.asarray(classes)
        n_labeled = learning_curves(table, "n_labeled", dataset=dataset, pad=pad)
        counts = runs_of(table, "subpool_counts", dataset)
        asked = queried_labels(table, is_rare, dataset=dataset)
        quantities = {
            name: _quantities(
                is_rare,
                asked[name],
                [_seen(run, np.isin(labels, minority)) for run in counts[name]],
                curves.shape[1],
            )
            for name, curves in n_labeled.items()
        }
        display = cls(
            n_labeled=n_labeled,
            **{
                kind: {name: found[kind] for name, found in quantities.items()}
                for kind in _LABELS
            },
        )
        return display.plot(ax, **plot_params)


def _is_rare(y, minority):
    missing = np.setdiff1d(np.atleast_1d(minority), y)
    if len(missing) or not np.size(minority):
        raise ValueError(
            f"minority must name labels that are in y. Got {minority!r}; there are "
            f"{np.unique(y).tolist()!s:.200}."
        )
    return np.isin(y, minority)


def _seen(run, is_rare):
    """Rows in each subpool of a run and rare rows among them, (n_rounds, 2)."""
    rounds = [np.asarray(counts) for counts in run]
    for counts in rounds:
        if counts.size and counts.shape != is_rare.shape:
            raise ValueError(
                "The subpools must have one count per class of the data set, sorted. "
                f"Got {counts.size} counts and {len(is_rare)} classes; pass classes= "
                "all labels of the pool and of the test rows."
            )
    return np.array(
        [(c.sum(), c[is_rare].sum()) if c.size else (np.nan, np.nan) for c in rounds]
    )


def _quantities(is_rare, asked, seen, n_points):
    """{kind: (n_seeds, n_points)}, nan where a run is over."""
    curves = {kind: np.full((len(asked), n_points), np.nan) for kind in _LABELS}
    for i, (run, subpools) in enumerate(zip(asked, seen, strict=True)):
        count, share = minority_discovery(run, True)
        if np.isnan(subpools).all():  # without a filter, all that was left is seen
            n_asked = np.cumsum([len(batch) for batch in run])
            left = np.column_stack([len(is_rare) - n_asked, is_rare.sum() - count])
            subpools[1:] = left[:-1]
        curves["found"][i, : len(run)] = share
        curves["size"][i, : len(run)] = subpools[:, 0]
        curves["share"][i, : len(run)] = subpools[:, 1] / subpools[:, 0]
    return curves
