# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Mean ranks over data sets, and which of them do not differ."""

import numpy as np

from skal.inspection._drawing import COLORS, axes_for
from skal.metrics import friedman_nemenyi_test, learning_curve_auc, learning_curves
from skal.metrics._table import read_table

# Heights in the picture, downwards from the axis of the ranks.
_BAR, _FIRST_BAR, _NAME = 0.28, 0.35, 0.5


class RankDisplay:
    """Critical differences: mean ranks of methods over data sets, on one line.

    Methods that a bar joins cannot be told apart by Nemenyi's test. :meth:`from_scores`
    and :meth:`from_simulation` make it. All parameters are stored as attributes.

    Parameters
    ----------
    mean_ranks : dict of str to float
        The mean rank of each method; 1 is the best.
    critical_difference : float
        From which difference on two mean ranks differ.
    n_datasets : int
        How many data sets the ranks are of.
    pvalue : float, default=None
        Of Friedman's test that no method differs; is written above the picture.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the picture.
    figure_ : matplotlib Figure
        The figure of these axes.
    groups_ : list of list of str
        The largest groups of methods that cannot be told apart, the best first.
    bars_ : list of matplotlib Line2D
        The bar of each group.

    See Also
    --------
    skal.metrics.friedman_nemenyi_test : The numbers.

    Notes
    -----
    Nemenyi's test follows upon Friedman's: where the p-value is large, what the bars do
    not join is no difference either.

    References
    ----------
    J. Demšar. Statistical comparisons of classifiers over multiple data sets. JMLR 7,
    2006, Figure 1. https://jmlr.org/papers/v7/demsar06a.html

    Examples
    --------
    >>> from skal.inspection import RankDisplay
    >>> ranks = {"a": 1.2, "b": 1.8, "c": 3.0}
    >>> display = RankDisplay(mean_ranks=ranks, critical_difference=1.48, n_datasets=5)
    >>> display.plot().groups_
    [['a', 'b'], ['b', 'c']]
    """

    def __init__(self, *, mean_ranks, critical_difference, n_datasets, pvalue=None):
        self.mean_ranks = mean_ranks
        self.critical_difference = critical_difference
        self.n_datasets = n_datasets
        self.pvalue = pvalue

    def plot(self, ax=None):
        """Draw the ranks, a name at each, and a bar under each group.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        self : object
            The display.

        Raises
        ------
        ValueError
            If a mean rank is not from 1 to the number of methods, or there are less
            than two.
        ImportError
            If matplotlib is not installed.
        """
        ranks = self._checked()
        self.groups_ = _groups(ranks, self.critical_difference)
        levels = _levels([[ranks[name] for name in group] for group in self.groups_])
        below = _FIRST_BAR + _BAR * (max(levels, default=-1) + 1) + _NAME / 2
        n_lines = (len(ranks) + 1) // 2
        height = 1.1 + 0.45 * (below + _NAME * n_lines)
        self.ax_ = axes_for(f"{type(self).__name__}.plot", ax, (7.2, height))
        self.figure_ = self.ax_.figure
        self._draw_axis(len(ranks), below + _NAME * n_lines)
        self._draw_names(ranks, below)
        self.bars_ = [
            self._draw_bar([ranks[name] for name in group], level)
            for group, level in zip(self.groups_, levels, strict=True)
        ]
        return self

    def _checked(self):
        """The mean ranks, the best first."""
        ranks = {name: float(rank) for name, rank in dict(self.mean_ranks).items()}
        n_methods = len(ranks)
        good = all(1 <= rank <= n_methods for rank in ranks.values())
        if n_methods < 2 or not good:
            raise ValueError(
                "mean_ranks must be at least two numbers from 1 to their number. Got "
                f"{ranks}."
            )
        return dict(sorted(ranks.items(), key=lambda item: item[1]))

    def _draw_axis(self, n_methods, depth):
        from matplotlib.ticker import MaxNLocator

        ax, width = self.ax_, self.critical_difference
        ax.set(xlim=(1, n_methods), ylim=(depth, -1.0), yticks=[])
        ax.spines[["left", "right", "bottom"]].set_visible(False)
        ax.spines["top"].set_position(("data", 0))
        ax.xaxis.set_ticks_position("top")
        ax.xaxis.set_major_locator(MaxNLocator(min(n_methods - 1, 10), integer=True))
        ax.set_xlabel(f"mean rank over {self.n_datasets} data sets (1 is best)")
        text = f"critical difference {width:.2f}"
        if self.pvalue is not None:
            small = self.pvalue < 0.001
            text += "; Friedman p " + ("< 0.001" if small else f"= {self.pvalue:.3f}")
        ax.set_title(text, fontsize="medium")
        shown = min(width, n_methods - 1)
        ax.plot([1, 1 + shown], [-0.85, -0.85], "|-", color="black", markersize=7)

    def _draw_names(self, ranks, below):
        """The better half on the left, the best on top; the others mirrored."""
        n_left = (len(ranks) + 1) // 2
        left, right = 1, len(ranks)
        items = list(ranks.items())
        for side, edge, outwards in (
            (items[:n_left], left, "left"),
            (items[n_left:][::-1], right, "right"),
        ):
            for i, (name, rank) in enumerate(side):
                depth = below + _NAME * i
                self.ax_.plot(
                    [rank, rank, edge], [0, depth, depth], color="0.35", linewidth=0.9
                )
                self.ax_.annotate(
                    f"{name}  {rank:.2f}"
                    if outwards == "left"
                    else f"{rank:.2f}  {name}",
                    (edge, depth),
                    xytext=(-5 if outwards == "left" else 5, 0),
                    textcoords="offset points",
                    ha="right" if outwards == "left" else "left",
                    va="center",
                )

    def _draw_bar(self, ranks, level):
        depth = _FIRST_BAR + _BAR * level
        margin = 0.012 * (len(self.mean_ranks) - 1)
        (bar,) = self.ax_.plot(
            [min(ranks) - margin, max(ranks) + margin],
            [depth, depth],
            color=COLORS[0],
            linewidth=4,
            solid_capstyle="butt",
            clip_on=False,
        )
        return bar

    @classmethod
    def from_scores(cls, scores, *, confidence_level=0.95, ax=None):
        """Draw the ranks of scores.

        Parameters
        ----------
        scores : dict of str to array-like of shape (n_datasets,)
            The score of each method on each data set, larger is better.
        confidence_level : float, default=0.95
            Of Nemenyi's test.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : RankDisplay
            As it was drawn.

        Raises
        ------
        ValueError, TypeError
            As :func:`~skal.metrics.friedman_nemenyi_test`.
        ImportError
            If matplotlib is not installed.
        """
        result = friedman_nemenyi_test(scores, confidence_level=confidence_level)
        mean_ranks = map(float, result.mean_ranks)
        display = cls(
            mean_ranks=dict(zip(result.names, mean_ranks, strict=True)),
            critical_difference=result.critical_difference,
            n_datasets=len(result.ranks),
            pvalue=result.pvalue,
        )
        return display.plot(ax)

    @classmethod
    def from_simulation(cls, table, scoring=None, *, confidence_level=0.95, ax=None):
        """Draw the ranks of the learners in the table of a simulation.

        On each data set a learner's score is the mean height of its learning curve,
        over its seeds.

        Parameters
        ----------
        table : Bunch, dict, pandas.DataFrame or path-like
            What :func:`~skal.simulate` returned, or the folder it was given.
        scoring : str, default=None
            The column of scores, such as ``"f1_macro"``, of which larger is better.
            None: the only one.
        confidence_level : float, default=0.95
            Of Nemenyi's test.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : RankDisplay
            As it was drawn.

        Raises
        ------
        ValueError
            If the table lacks a column or a round, a learner lacks a data set, runs
            differ in length, there is one data set only, or the folder is of another
            version of skal.
        TypeError
            If `table` is something else.
        ImportError
            If matplotlib is not installed.
        """
        table = read_table(table)
        names = dict.fromkeys(table["learner"].tolist())
        scores = {name: [] for name in names}
        for dataset in dict.fromkeys(table["dataset"].tolist()):
            curves = learning_curves(table, scoring, dataset=dataset)
            for name in names:
                if name not in curves:
                    raise ValueError(
                        "Each learner must have been run on each data set to be "
                        f"ranked. {name!r} has no run on {dataset!r}."
                    )
                scores[name].append(np.mean([_height(run) for run in curves[name]]))
        return cls.from_scores(scores, confidence_level=confidence_level, ax=ax)


def _height(run):
    return learning_curve_auc(run, normalize=True) if len(run) > 1 else run[0]


def _groups(ranks, critical_difference):
    """The largest runs of neighbours that are nowhere further apart than that."""
    names, values = list(ranks), np.array(list(ranks.values()))
    ends = np.searchsorted(values, values + critical_difference + 1e-12)
    groups, covered = [], 0
    for start, end in enumerate(ends):
        if end - start > 1 and end > covered:
            groups.append(names[start:end])
            covered = end
    return groups


def _levels(groups):
    """On which level each bar is drawn, so that no two on one of them touch."""
    levels, ends = [], []
    for group in groups:
        free = [i for i, end in enumerate(ends) if end < min(group)]
        if not free:
            free = [len(ends)]
            ends.append(0)
        ends[free[0]] = max(group)
        levels.append(free[0])
    return levels
