# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The next batch of a pool in a file."""

import warnings
from pathlib import Path
from typing import NamedTuple

from sklearn.dummy import DummyClassifier

from skal.cli._answers import as_labels, check_vocabulary, read_answers
from skal.cli._errors import UsageError
from skal.cli._labels import plain_id
from skal.cli._names import (
    NO_FILTER,
    TFIDF,
    check_model,
    make_learner,
)
from skal.cli._screen import quiet
from skal.cli._tables import WRITABLE, read_table, to_bytes, write_file
from skal.exceptions import SingleClassWarning
from skal.strategies import RandomSampling
from skal.utils._validation import check_ids

#: What ids are called where the pool has none: the number of the row, from 0.
ROW = "row"


class Columns(NamedTuple):
    """What the columns are called; `id` is None if the pool has none of ids."""

    text: str
    label: str
    id: str | None


class Pool(NamedTuple):
    """The rows that may be asked, with ids of their own, and the ids as text."""

    texts: list
    ids: list
    position: dict


def query(
    pool,
    labelled,
    output,
    *,
    n_queries=25,
    text="text",
    label="label",
    id_=None,
    strategy="Entropy",
    filter_=NO_FILTER,
    model=TFIDF,
    seed=0,
    add_labels=(),
    overwrite=False,
):
    """Write the rows to label next to a file.

    Parameters
    ----------
    pool : pathlib.Path
    labelled : list of pathlib.Path
        The files with labels so far, in the order in which they came about.
    output : pathlib.Path
    n_queries : int, default=25
    text, label : str
        The columns.
    id_ : str or None, default=None
        The column of the ids. None: the number of the row in the pool is its id.
    strategy, filter_, model : str
        See :func:`~skal.cli._names.make_learner`.
    seed : int, default=0
    add_labels : sequence of str
        Labels that the first labelled file lacks.
    overwrite : bool, default=False
        Whether a file that exists may be replaced.
    """
    _check_output(output, overwrite, [pool, *labelled])
    columns = _check_columns(Columns(text, label, id_))
    _, learner = make_learner(strategy, filter_, model, Path())
    learner.set_params(random_state=seed, n_queries=n_queries)
    rows = read_pool(pool, columns)
    answers = [read_answers(path, columns, rows, ROW) for path in labelled]
    check_vocabulary(answers, add_labels)
    for file in answers:
        print(file.told())
    answers = as_labels(answers, add_labels)
    with quiet(model):
        check_model(model)
        picked = _pick(learner, rows, answers)
    _write(output, rows, picked, columns)
    print(
        f"Wrote {len(picked)} rows to {output}. Fill in {label!r} where you can, and "
        f"give the file to the next query: --labelled {output}"
    )


def _check_output(output, overwrite, inputs):
    if output.suffix.lower() not in WRITABLE:
        raise UsageError(
            f"The batch is written as {' or '.join(WRITABLE)}. Got {output}."
        )
    if not output.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {output.parent} to write {output} to.")
    if any(output.absolute() == path.absolute() for path in inputs):
        raise UsageError(f"{output} is read; write the batch to another file.")
    if output.exists() and not overwrite:
        raise UsageError(
            f"{output} exists and may hold labels. Name another file, or replace it "
            "with --overwrite."
        )


def _check_columns(columns):
    names = [columns.id or ROW, columns.text, columns.label]
    if len(set(names)) != len(names):
        raise UsageError(
            "Ids, texts and labels must be three columns. Got "
            f"{', '.join(map(repr, names))}; name others with --id, --text, --label."
        )
    return columns


def read_pool(path, columns):
    """The pool in a file.

    Parameters
    ----------
    path : pathlib.Path
    columns : Columns

    Returns
    -------
    Pool
    """
    table = read_table(path)
    texts = table.texts(columns.text)
    if columns.id is None:
        ids = list(range(len(texts)))
    else:
        ids = [plain_id(value) for value in table.column(columns.id, "--id")]
        written = [None if id_ is None else str(id_) for id_ in ids]
        check_ids(written, len(texts), f"{path}: column {columns.id!r}")
    return Pool(texts, ids, {str(id_): row for row, id_ in enumerate(ids)})


def _pick(learner, pool, answers):
    """Positions in the pool of the batch."""
    ids = {id_ for file in answers for id_ in file.ids}
    closed = sorted(pool.position[id_] for id_ in ids if id_ in pool.position)
    if len(closed) == len(pool.texts):
        raise ValueError(
            "No row of the pool is left to ask: each has a label or was skipped."
        )
    taught = [file for file in answers if any(y is not None for y in file.labels)]
    if taught:
        _teach(learner, taught)
    elif learner.strategy.reads.pool | learner.strategy.reads.labeled:
        print("There are no labels yet: the first batch is drawn at random.")
        learner.set_params(strategy=RandomSampling())
    return learner.query(pool.texts, exclude=closed)


def _teach(learner, answers):
    """Go through the rounds as they were; only the last one needs the model."""
    real = {name: getattr(learner, name) for name in ("estimator", "strategy")}
    learner.set_params(estimator=DummyClassifier(), strategy=RandomSampling())
    for number, file in enumerate(answers, 1):
        if number == len(answers):
            learner.set_params(**real)
        with warnings.catch_warnings():
            if number < len(answers):
                warnings.simplefilter("ignore", SingleClassWarning)
            learner.teach(file.texts, file.labels, ids=file.ids)


def _write(output, pool, picked, columns):
    batch = {
        columns.id or ROW: [pool.ids[row] for row in picked],
        columns.text: [pool.texts[row] for row in picked],
        columns.label: [None] * len(picked),
    }
    write_file(output, to_bytes(batch, output.suffix.lower()))
