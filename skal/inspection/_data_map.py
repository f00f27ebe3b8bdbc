# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Data maps: how training went for each labelled row."""

import numpy as np

from skal.functional import data_map
from skal.inspection._drawing import MARKERS, add_legend_beside, axes_for
from skal.inspection._models import classifier_of
from skal.utils._capabilities import check_provides, recorded_dynamics
from skal.utils._sklearn import validate_parameter_constraints

_CONSTRAINTS = {"add_legend": ["boolean"]}
_LIGHTEST = 0.88  # of cividis, so that it is seen on white
# Largest correctness of each group of rows, and what the group is called.
_GROUPS = {
    0.0: "0 (never)",
    0.25: "up to 0.25",
    0.5: "up to 0.5",
    0.75: "up to 0.75",
    1 - 1e-9: "below 1",
    1.0: "1 (always)",
}
# Where the names of the regions stand: x and y as shares of the axes.
_REGIONS = {
    "easy to learn": (0.02, 0.98, "left", "top"),
    "ambiguous": (0.98, 0.5, "right", "center"),
    "hard to learn": (0.02, 0.02, "left", "bottom"),
}


class DataMapDisplay:
    """A data map: each labelled row by how training went for it.

    :meth:`from_estimator` makes it. All parameters are stored as attributes.

    Parameters
    ----------
    confidence : array-like of shape (n,)
        Mean probability of each row's own label over the epochs.
    variability : array-like of shape (n,)
        Standard deviation of that probability.
    correctness : array-like of shape (n,)
        Share of the epochs in which that label was predicted.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the map.
    figure_ : matplotlib Figure
        The figure of these axes.
    scatters_ : list of matplotlib PathCollection
        The rows, one entry per group of correctness that occurs, in rising order.

    See Also
    --------
    skal.functional.data_map : The numbers.
    skal.strategies.CartographyAL : Picks rows by them.

    Notes
    -----
    Rows of one correctness share a colour and a shape, as in the paper; here they are
    put into six groups, whatever the number of epochs. The colours are cividis, which
    grows lighter evenly for every kind of colour vision.

    References
    ----------
    M. Zhang, B. Plank. Cartography Active Learning. Findings of EMNLP 2021, Figure 1.
    :doi:`10.18653/v1/2021.findings-emnlp.36`

    Examples
    --------
    >>> from skal.inspection import DataMapDisplay
    >>> display = DataMapDisplay(
    ...     confidence=[0.9, 0.5], variability=[0.05, 0.3], correctness=[1.0, 0.6]
    ... )
    >>> display.plot().ax_.get_xlabel()
    'variability'
    """

    def __init__(self, *, confidence, variability, correctness):
        self.confidence = confidence
        self.variability = variability
        self.correctness = correctness

    def plot(self, ax=None, *, add_legend=True):
        """Draw the map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        add_legend : bool, default=True
            Whether the axes get a legend, beside them.

        Returns
        -------
        self : object
            The display.

        Raises
        ------
        ValueError
            If the three arrays differ in length, or correctness is no share.
        ImportError
            If matplotlib is not installed.
        """
        name = f"{type(self).__name__}.plot"
        validate_parameter_constraints(_CONSTRAINTS, {"add_legend": add_legend}, name)
        confidence, variability, correctness = self._checked()
        self.ax_ = axes_for(name, ax)
        self.figure_ = self.ax_.figure
        group = np.searchsorted(list(_GROUPS), correctness)
        self.scatters_ = [
            self._draw(
                number, variability[group == number], confidence[group == number]
            )
            for number in np.unique(group)
        ]
        self.ax_.set(xlabel="variability", ylabel="confidence")
        widest = max(0.2, 1.08 * variability.max(initial=0))
        self.ax_.set(xlim=(-0.03 * widest, widest), ylim=(-0.03, 1.03))
        self.ax_.grid(alpha=0.3)
        self._name_regions()
        if add_legend:
            add_legend_beside(self.ax_, self.scatters_[::-1], "correctness")
        return self

    def _checked(self):
        arrays = [self.confidence, self.variability, self.correctness]
        arrays = [np.asarray(values, dtype=np.float64) for values in arrays]
        shapes = [values.shape for values in arrays]
        if len(set(shapes)) > 1 or len(shapes[0]) != 1:
            raise ValueError(
                "confidence, variability and correctness must hold one number per row. "
                f"Got shapes {', '.join(map(str, shapes))}."
            )
        correctness = arrays[2]
        if not ((correctness >= 0) & (correctness <= 1)).all():
            raise ValueError(
                "correctness must be the share of epochs, from 0 to 1. Got "
                f"{correctness.min()} to {correctness.max()}; divide a count by the "
                "number of epochs."
            )
        return arrays

    def _draw(self, number, x, y):
        import matplotlib

        shade = _LIGHTEST * number / (len(_GROUPS) - 1)
        color = matplotlib.colormaps["cividis"](shade)
        return self.ax_.scatter(
            x,
            y,
            s=22,
            color=[color],
            marker=MARKERS[number],
            edgecolors="white",
            linewidths=0.3,
            label=list(_GROUPS.values())[number],
        )

    def _name_regions(self):
        for text, (x, y, horizontal, vertical) in _REGIONS.items():
            self.ax_.text(
                x,
                y,
                text,
                transform=self.ax_.transAxes,
                ha=horizontal,
                va=vertical,
                style="italic",
                bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1.5},
            )

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **plot_params):
        """Draw the map of a classifier's training.

        Parameters
        ----------
        estimator : fitted classifier or ActiveLearner
            With `training_dynamics_`, of which a learner asks its classifier.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **plot_params : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : DataMapDisplay
            As it was drawn.

        Raises
        ------
        MissingCapabilityError
            If the classifier does not record its training.
        NotFittedError
            If it was not fitted.
        ImportError
            If matplotlib is not installed.
        """
        classifier = classifier_of(estimator)
        check_provides(cls.__name__, classifier, {"training_dynamics"}, None)
        dynamics = recorded_dynamics(classifier)
        return cls.from_dynamics(
            dynamics.gold_proba, dynamics.correct, ax=ax, **plot_params
        )

    @classmethod
    def from_dynamics(cls, gold_proba, correct, *, ax=None, **plot_params):
        """Draw the map of what was noted in training.

        Parameters
        ----------
        gold_proba : array-like of shape (E, n)
            Probability of each row's own label after each epoch.
        correct : array-like of shape (E, n)
            Whether that label was predicted.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **plot_params : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : DataMapDisplay
            As it was drawn.

        Raises
        ------
        ValueError
            If the shapes differ or an entry is not a probability.
        ImportError
            If matplotlib is not installed.
        """
        confidence, variability, correctness = data_map(gold_proba, correct)
        display = cls(
            confidence=confidence, variability=variability, correctness=correctness
        )
        return display.plot(ax, **plot_params)
