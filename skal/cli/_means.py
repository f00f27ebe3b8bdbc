# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The table of a comparison summed up: a line per data set and learner."""

import numpy as np
from rich import box
from rich.table import Table

from skal.metrics import learning_curve_auc


def scorers(table):
    """The columns of scores in a table of `simulate`."""
    return [name for name in table if name.startswith("test_")]


def groups(table):
    """The pairs of data set and learner, in the order in which they were given."""
    pairs = dict.fromkeys(
        zip(table.dataset.tolist(), table.learner.tolist(), strict=True)
    )
    order = list(dict.fromkeys(table.dataset.tolist()))
    return sorted(pairs, key=lambda pair: order.index(pair[0]))


def runs(table, dataset, learner):
    """The positions in the table of each run of a learner on a data set."""
    mine = (table.dataset == dataset) & (table.learner == learner)
    seeds = dict.fromkeys(table.seed[mine].tolist())
    return [np.flatnonzero(mine & (table.seed == seed)) for seed in seeds]


def summarize(table):
    """One line per data set and learner, over its seeds.

    Parameters
    ----------
    table : Bunch
        What :func:`~skal.simulate` returned.

    Returns
    -------
    dict of str to list
        Columns "dataset", "learner", "seeds"; for each score "<name>_curve", the mean
        height of the learning curve, and "<name>_last", each with its standard
        deviation over the seeds "..._std" (of one seed: nan); and "seconds", those of
        an average round.
    """
    lines = []
    for dataset, learner in groups(table):
        rows = runs(table, dataset, learner)
        line = {"dataset": dataset, "learner": learner, "seeds": len(rows)}
        for name in scorers(table):
            short = name.removeprefix("test_")
            scores = [table[name][run] for run in rows]
            line |= _mean_std(f"{short}_curve", [_height(curve) for curve in scores])
            line |= _mean_std(f"{short}_last", [curve[-1] for curve in scores])
        line["seconds"] = _seconds(table, np.concatenate(rows))
        lines.append(line)
    return {name: [line[name] for line in lines] for name in lines[0]}


def _height(curve):
    if len(curve) == 1 or not np.isfinite(curve).all():
        return float(np.mean(curve))
    return learning_curve_auc(curve, normalize=True)


def _mean_std(name, values):
    std = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return {name: float(np.mean(values)), f"{name}_std": std}


def _seconds(table, rows):
    kinds = [name for name in table if name.endswith("_time")]
    return float(sum(table[kind][rows].mean() for kind in kinds))


def screen_table(means):
    """The heights of the curves as a table for a terminal."""
    shown = Table(box=box.SIMPLE)
    names = [name for name in means if f"{name}_std" in means and "_curve" in name]
    for name in ("data set", "learner"):
        shown.add_column(name, overflow="fold")
    for name in names:
        title = name.removesuffix("_curve").replace("_", " ")
        shown.add_column(title, justify="right", no_wrap=True)
    shown.add_column("seconds", justify="right")
    for i, learner in enumerate(means["learner"]):
        cells = [_cell(means[name][i], means[f"{name}_std"][i]) for name in names]
        seconds = f"{means['seconds'][i]:.2f}"
        shown.add_row(means["dataset"][i], learner, *cells, seconds)
    shown.caption = (
        f"Mean height of the learning curve ± standard deviation over "
        f"{max(means['seeds'])} seeds; seconds of a round."
    )
    return shown


def _cell(mean, std):
    return f"{mean:.3f}" + ("" if np.isnan(std) else f" ±{std:.3f}")
