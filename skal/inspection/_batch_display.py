# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Two measures of every batch, against each other."""

import numpy as np

from skal.inspection._drawing import add_legend_beside, axes_for, styles
from skal.utils._sklearn import validate_parameter_constraints

_CONSTRAINTS = {"add_legend": ["boolean"]}
_PALEST = 0.25


class BatchDisplay:
    """Base of the displays with one mark per batch; `_x` and `_y` name what it stores.

    Each is a pair of an attribute, which holds a dict, and the label of an axis.
    """

    def plot(self, ax=None, *, add_legend=True):
        """Draw one mark per batch, the later the darker.

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
            If the dicts differ in names, or their arrays in length.
        ImportError
            If matplotlib is not installed.
        """
        name = f"{type(self).__name__}.plot"
        validate_parameter_constraints(_CONSTRAINTS, {"add_legend": add_legend}, name)
        xs, ys, rounds = self._checked()
        self.ax_ = axes_for(name, ax)
        self.figure_ = self.ax_.figure
        every = np.concatenate(list(rounds.values()))
        first, last = (every.min(), every.max()) if len(every) else (0, 0)
        self.scatters_ = [
            self._draw(
                xs[key], ys[key], (rounds[key] - first) / max(last - first, 1), style
            )
            for key, style in styles(xs).items()
        ]
        self.ax_.set(xlabel=self._x[1], ylabel=self._y[1])
        self.ax_.grid(alpha=0.3)
        if add_legend:
            self._add_legend(xs, first < last)
        return self

    def _checked(self):
        """{method: array} of both measures and of the rounds."""
        dicts = {
            name: getattr(self, name) for name in (self._x[0], self._y[0], "rounds")
        }
        names = [list(values) for values in dicts.values()]
        if not names[0] or any(other != names[0] for other in names):
            raise ValueError(
                f"{', '.join(dicts)} must be dicts of the same names, at least one. "
                f"Got {', '.join(map(str, names))}."
            )
        dicts = [
            {key: np.asarray(values, dtype=np.float64) for key, values in one.items()}
            for one in dicts.values()
        ]
        for key in names[0]:
            shapes = [one[key].shape for one in dicts]
            if len(set(shapes)) > 1 or len(shapes[0]) != 1:
                raise ValueError(
                    f"{self._x[0]}, {self._y[0]} and rounds must hold one number per "
                    f"batch. Got shapes {', '.join(map(str, shapes))} for {key!r}."
                )
        return dicts

    def _draw(self, x, y, lateness, style):
        shown = np.isfinite(x) & np.isfinite(y)
        return self.ax_.scatter(
            x[shown],
            y[shown],
            s=38,
            color=style["color"],
            marker=style["marker"],
            alpha=_PALEST + (1 - _PALEST) * lateness[shown] if shown.any() else None,
            edgecolors="none",
        )

    def _add_legend(self, names, has_rounds):
        from matplotlib.lines import Line2D

        handles = [
            Line2D(
                [],
                [],
                color=style["color"],
                marker=style["marker"],
                linestyle="",
                label=name,
            )
            for name, style in styles(names).items()
        ]
        note = "darker: later round" if has_rounds else None
        add_legend_beside(self.ax_, handles, note)
