# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Strategies x filters x data sets x seeds: what is compared, and what is written."""

import contextlib
import itertools
import sys
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from sklearn.metrics import get_scorer_names

from skal import simulate
from skal.cli._config import located, read_config
from skal.cli._curves import draw_curves
from skal.cli._dask import workers
from skal.cli._data import load_data
from skal.cli._errors import UsageError
from skal.cli._means import screen_table, summarize
from skal.cli._names import NO_FILTER, TFIDF, check_model, make_learner, meant
from skal.cli._screen import quiet
from skal.cli._tables import to_bytes, write_file


class Plan(NamedTuple):
    """What is compared: the arguments of `simulate`, and where the files go."""

    learners: dict
    datasets: dict
    protocol: dict
    output: Path
    jobs: int | None
    model: str | dict


def compare(config, output=None, jobs=None, dask=None):
    """Do what a configuration file says.

    Parameters
    ----------
    config : pathlib.Path
        Paths in it start from its folder.
    output : pathlib.Path or None, default=None
        Takes the place of what the file says.
    jobs : int or None, default=None
        As `output`.
    dask : str or None, default=None
        The address of a Dask scheduler that does the runs.
    """
    settings, text = read_config(config)
    with located(config, text):
        plan = make_plan(settings, config.parent)
    if output is not None:
        plan = plan._replace(output=output)
    if jobs is not None:
        plan = plan._replace(jobs=jobs)
    run(plan, dask)


def make_plan(settings, folder):
    """A Plan from checked settings; `folder` is where paths start from.

    Raises
    ------
    UsageError
        If a name is not known, with the words that lead to it.
    """
    model = settings.get("model", TFIDF)
    with _under("model"), quiet(model):
        check_model(model, folder)
    scoring = _listed(settings.get("scoring", ["accuracy", "f1_macro"]))
    _check_scorers(scoring)
    learners = _learners(settings, model, folder)
    datasets = {}
    for name, data in settings["data"].items():
        paths = {key: folder / data[key] for key in ("path", "test") if key in data}
        with _under("data", name):
            datasets[name] = load_data(**data | paths)
    protocol = {
        "n_rounds": settings.get("rounds", 10),
        "n_queries": settings.get("n_queries", 25),
        "initial": _initial(settings.get("initial"), datasets),
        "seeds": settings.get("seeds", 5),
        "scoring": scoring,
    }
    output = folder / settings.get("output", "skal-results")
    return Plan(learners, datasets, protocol, output, settings.get("jobs"), model)


def _listed(value):
    return value if isinstance(value, list) else [value]


@contextlib.contextmanager
def _under(*path):
    """Say where in the settings the words of an error stand."""
    try:
        yield
    except UsageError as error:
        raise UsageError(str(error), *path, *error.path) from error


def _learners(settings, model, folder):
    strategies = _listed(settings["strategies"])
    filters = _listed(settings.get("filters", NO_FILTER))
    learners = {}
    for filter_, strategy in itertools.product(filters, strategies):
        name, learner = make_learner(strategy, filter_, model, folder)
        if name in learners:
            raise UsageError(f"{name} is there twice.", "strategies")
        learners[name] = learner
    return learners


def _check_scorers(names):
    known = get_scorer_names()
    for name in names:
        if name not in known:
            raise UsageError(
                f"There is no scorer {name!r}.{meant(name, known)} There are "
                f"{', '.join(known)}.",
                "scoring",
                name,
            )


def _initial(initial, datasets):
    """The labels in {label: count} as the data sets have them: a key is a text."""
    if not isinstance(initial, dict):
        return initial
    labels = {
        str(label): label for data in datasets.values() for label in data[1].tolist()
    }
    unknown = [key for key in initial if key not in labels]
    if unknown:
        raise UsageError(
            f"There is no label {unknown[0]!r}.{meant(unknown[0], labels)} There are "
            f"{', '.join(list(labels)[:20])}.",
            "initial",
            unknown[0],
        )
    return {labels[key]: count for key, count in initial.items()}


def run(plan, dask=None):
    """Simulate, then write the summary and the picture, and show what came out.

    Parameters
    ----------
    plan : Plan
    dask : str or None, default=None
        The address of a scheduler.
    """
    with quiet(plan.model), workers(dask):
        table = simulate(
            plan.learners,
            plan.datasets,
            **plan.protocol,
            folder=plan.output,
            n_jobs=plan.jobs,
            verbose=int(sys.stderr.isatty()),
        )
    means = summarize(table)
    write_file(plan.output / "summary.csv", to_bytes(means, ".csv"))
    write_file(plan.output / "learning_curves.png", draw_curves(table))
    Console().print(screen_table(means))
    files = "table.csv, table.jsonl, summary.csv, learning_curves.png"
    print(f"In {plan.output.resolve()}: {files}")
