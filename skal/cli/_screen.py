# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the demo shows: lines, progress, a table that grows, a picture."""

import contextlib
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from rich import box
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from skal.cli._names import is_transformer
from skal.cli._summary import outcome

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
    def table(self, found, strategies, n_rounds, folder):
        """A context with a bar that counts rounds and a table that grows.

        Parameters
        ----------
        found : dict of (str, int) to list of Point
            The curve of a strategy and a seed. What is put in is shown.
        strategies : list of str
            In the order of the columns.
        n_rounds : int
            How many rounds there are in all.
        folder : pathlib.Path
            Has a file for each round done, whichever process did it.
        """
        progress = Progress(
            "{task.description}",
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
        )
        task = progress.add_task("Rounds", total=n_rounds)

        def show():
            progress.update(task, completed=sum(1 for _ in folder.iterdir()))
            return Group(progress, _table(dict(found), strategies))

        with Live(get_renderable=show, console=self.console, refresh_per_second=2):
            yield
        if not self.console.is_terminal:
            self.console.line()  # rich ends the line on a terminal only


def _table(found, strategies):
    """One row per seed, then mean and standard deviation of the seeds that are done."""
    table = Table(
        title="Rare sentences found; F1 of the rare class on the test set, its mean\n"
        "along the curve and its last; seconds per round",
        title_justify="left",
        box=box.SIMPLE,
    )
    table.add_column("\nseed", justify="right", no_wrap=True)
    for name in strategies:
        for heading in (f"{name}\nfound", "mean\nF1", "last\nF1", "\ns"):
            table.add_column(heading, justify="right", no_wrap=True)
    outcomes = {key: outcome(curve) for key, curve in found.items()}
    seeds = sorted({seed for _, seed in found})
    for seed in seeds:
        row = [outcomes.get((name, seed)) for name in strategies]
        table.add_row(str(seed), *(cell for x in row for cell in _cells(x)))
    done = [s for s in seeds if all((name, s) in found for name in strategies)]
    if len(done) > 1:
        table.add_section()
        for title, summary in (("mean", np.mean), ("std", _std)):
            row = [
                summary([outcomes[name, seed] for seed in done], axis=0)
                for name in strategies
            ]
            cells = (cell for x in row for cell in _cells(x, n_digits=1))
            table.add_row(title, *cells)
    return table


_std = partial(np.std, ddof=1)


def _cells(numbers, n_digits=0):
    if numbers is None:
        return [""] * 4
    n_found, mean_f1, last_f1, seconds = numbers
    return [
        f"{n_found:.{n_digits}f}",
        f"{mean_f1:.3f}",
        f"{last_f1:.3f}",
        f"{seconds:.1f}",
    ]


def save_figure(curves, rare, path):
    """Draw the F1 and the rows found of class `rare` against the labels bought.

    Parameters
    ----------
    curves : dict of str to list of list of Point
        For each strategy the curve of each seed.
    rare : str
        What the rare class is called.
    path : pathlib.Path
        The PNG to write.

    Returns
    -------
    pathlib.Path
        `path` in full.
    """
    figure = Figure(figsize=(9, 4.3), layout="constrained")
    axes = figure.subplots(1, 2)
    panels = {
        "f1": f"F1 of {rare} on the test set",
        "n_found": f"{rare} sentences found",
    }
    for ax, (key, label) in zip(axes, panels.items(), strict=True):
        for (name, seeds), style in zip(curves.items(), _STYLES, strict=True):
            n_labels = [point.n_labels for point in seeds[0]]
            values = np.array([[getattr(p, key) for p in curve] for curve in seeds])
            ax.plot(n_labels, values.mean(axis=0), label=name, **style)
            low, high = values.min(axis=0), values.max(axis=0)
            color = style["color"]
            ax.fill_between(n_labels, low, high, color=color, alpha=0.15, linewidth=0)
        ax.set(xlabel="Labelled sentences", ylabel=label)
        ax.set_ylim(bottom=0)
        ax.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=key == "n_found"))
        ax.grid(alpha=0.3)
    handles = axes[0].get_lines()
    n_seeds = len(next(iter(curves.values())))
    note = f"mean of {n_seeds} seeds; band: lowest to highest" if n_seeds > 1 else None
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), title=note
    )
    figure.savefig(path, dpi=150)
    return path.resolve()


def quiet(model):
    """A context in which a model keeps off the screen; one for TF-IDF does nothing."""
    return quiet_transformers() if is_transformer(model) else contextlib.nullcontext()


@contextlib.contextmanager
def quiet_transformers():
    """Keep transformers from writing over the screen; put it back as it was after."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
