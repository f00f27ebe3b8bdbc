# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The picture of a comparison."""

import io
import itertools

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from skal.cli._means import groups, runs, scorers

# Okabe and Ito's palette, told apart by every kind of colour vision; line styles and
# markers go round at other speeds, so that no two of 40 learners look alike.
_COLORS = "#0072B2 #D55E00 #009E73 #CC79A7 #E69F00 #56B4E9 #000000 #999999".split()
# More bands than these hide each other.
_MOST_BANDS = 4
_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))


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
    learners = list(dict.fromkeys(learner for _, learner in groups(table)))
    size = 0.8 + 4.6 * len(names), 0.6 + 3.4 * len(datasets) + 0.2 * len(learners)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(datasets), len(names), squeeze=False)
    for (dataset, name), ax in zip(
        itertools.product(datasets, names), grid.flat, strict=True
    ):
        _draw_panel(ax, table, dataset, name, learners)
    _add_legend(figure, grid[0, 0], len(set(table.seed.tolist())), len(learners))
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=150)
    return picture.getvalue()


def _draw_panel(ax, table, dataset, name, learners):
    for learner, style in zip(learners, _styles(), strict=False):
        curves = runs(table, dataset, learner)
        _draw(ax, table, name, curves, label=learner, **style)
        if len(learners) <= _MOST_BANDS:
            _shade(ax, table, name, curves, style["color"])
    score = name.removeprefix("test_").replace("_", " ")
    ax.set(title=dataset, xlabel="Labels", ylabel=score)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    ax.grid(alpha=0.3)


def _styles():
    for i in itertools.count():
        color, line = _COLORS[i % len(_COLORS)], _LINES[i % len(_LINES)]
        yield {"color": color, "linestyle": line}


def _draw(ax, table, name, rows, **style):
    n_labels = np.mean(_shortened(table.n_labeled, rows), axis=0)
    ax.plot(n_labels, _shortened(table[name], rows).mean(axis=0), marker=".", **style)


def _shade(ax, table, name, rows, color):
    n_labels = np.mean(_shortened(table.n_labeled, rows), axis=0)
    scores = _shortened(table[name], rows)
    low, high = scores.min(axis=0), scores.max(axis=0)
    ax.fill_between(n_labels, low, high, color=color, alpha=0.12, linewidth=0)


def _shortened(column, rows):
    """The values of runs, (n_runs, n_rounds), cut to those rounds that all have."""
    n_rounds = min(map(len, rows))
    return np.array([column[run][:n_rounds] for run in rows])


def _add_legend(figure, ax, n_seeds, n_learners):
    note = f"mean of {n_seeds} seeds" if n_seeds > 1 else None
    if note and n_learners <= _MOST_BANDS:
        note += "; band: lowest to highest"
    figure.legend(
        handles=ax.get_lines(),
        loc="outside lower center",
        ncols=min(3, n_learners),
        title=note,
    )
