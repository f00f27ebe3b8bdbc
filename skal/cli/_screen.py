# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the demo shows: lines, progress, a table that grows, a picture."""

import contextlib

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from rich import box
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table
from transformers.utils import logging

# Two colours of Okabe and Ito's palette, told apart by every kind of colour vision.
_STYLES = (
    {"color": "#0072B2", "marker": "o", "linestyle": "-"},
    {"color": "#D55E00", "marker": "s", "linestyle": "--"},
)


class Screen:
    """A console that shows what is going on.

    Parameters
    ----------
    console : rich.console.Console
        Where to. One that is no terminal gets each result once, and no animation.
    """

    def __init__(self, console):
        self.console = console

    def say(self, text, *, wrap=True):
        """Print a paragraph. Without `wrap` a path in it stays whole."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=not wrap)

    def waiting(self, text):
        """A context with a spinner."""
        return self.console.status(text)

    @contextlib.contextmanager
    def table(self, curves, n_points):
        """A context with the table of `curves`; gives a function that redraws it."""
        progress = Progress(
            "{task.description}",
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
        )
        task = progress.add_task("Learning", total=n_points * len(curves))

        def show():
            return Group(progress, _table(curves))

        with Live(show(), console=self.console) as live:

            def update():
                progress.advance(task)
                live.update(show())

            yield update
        if not self.console.is_terminal:
            self.console.line()  # rich ends the line on a terminal only


def _table(curves):
    """One row per round; a cell is empty until its learner gets there."""
    table = Table(
        title="Rare sentences found, F1 of the rare class on the test set,\n"
        "seconds waited for the query and for the fit",
        title_justify="left",
        box=box.SIMPLE,
    )
    table.add_column("\nlabels", justify="right", no_wrap=True)
    for name in curves:
        for heading in (f"{name}\nfound", "\nF1", "\nquery", "\nfit"):
            table.add_column(heading, justify="right", no_wrap=True)
    for round_ in range(max(len(curve) for curve in curves.values())):
        points = [curve[round_ : round_ + 1] for curve in curves.values()]
        n_labels = next(point[0].n_labels for point in points if point)
        cells = [cell for point in points for cell in _cells(point)]
        table.add_row(str(n_labels), *cells)
    return table


def _cells(point):
    if not point:
        return [""] * 4
    _, n_found, f1, query_seconds, fit_seconds = point[0]
    query = f"{query_seconds:.1f}" if query_seconds else "-"
    return [str(n_found), f"{f1:.3f}", query, f"{fit_seconds:.1f}"]


def save_figure(curves, rare, path):
    """Draw the F1 and the rows found of class `rare` against the labels bought.

    Parameters
    ----------
    curves : dict of str to list of Point
        The curve of each strategy.
    rare : str
        What the rare class is called.
    path : pathlib.Path
        The PNG to write.

    Returns
    -------
    pathlib.Path
        `path` in full.
    """
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots(1, 2)
    labels = {
        "f1": f"F1 of {rare} on the test set",
        "n_found": f"{rare} sentences found",
    }
    for ax, (key, label) in zip(axes, labels.items(), strict=True):
        for (name, curve), style in zip(curves.items(), _STYLES, strict=True):
            n_labels = [point.n_labels for point in curve]
            ax.plot(n_labels, [getattr(p, key) for p in curve], label=name, **style)
        ax.set(xlabel="Labelled sentences", ylabel=label)
        ax.set_ylim(bottom=0)
        ax.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=key == "n_found"))
        ax.grid(alpha=0.3)
    axes[1].legend()
    figure.savefig(path, dpi=150)
    return path.resolve()


@contextlib.contextmanager
def quiet_transformers():
    """Keep transformers from writing over the screen; put it back as it was after."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
