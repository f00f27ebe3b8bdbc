# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The picture of a comparison."""

import io
import itertools

from matplotlib.figure import Figure

from skal.cli._means import groups, scorers
from skal.inspection import LearningCurveDisplay

# More bands than these hide each other.
_MOST_BANDS = 4


def draw_curves(table):
    """Draw scores against labels bought: a row per data set, a column per score.

    Parameters
    ----------
    table : Bunch
        What :func:`~skal.simulate` returned.

    Returns
    -------
    bytes
        A PNG.
    """
    datasets = list(dict.fromkeys(table.dataset.tolist()))
    names = scorers(table)
    n_learners = len({learner for _, learner in groups(table)})
    size = 0.8 + 4.6 * len(names), 0.6 + 3.4 * len(datasets) + 0.2 * n_learners
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(datasets), len(names), squeeze=False)
    interval = "range" if n_learners <= _MOST_BANDS else None
    for (dataset, name), ax in zip(
        itertools.product(datasets, names), grid.flat, strict=True
    ):
        display = LearningCurveDisplay.from_simulation(
            table, name, dataset=dataset, pad=True, ax=ax, interval=interval
        )
        ax.set_title(dataset)
        legend = ax.get_legend()
        legend.remove()
    figure.legend(
        handles=display.lines_,
        loc="outside lower center",
        ncols=min(3, n_learners),
        title=legend.get_title().get_text() or None,
    )
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=150)
    return picture.getvalue()
