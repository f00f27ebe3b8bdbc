# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Why rows were picked."""

import textwrap

import numpy as np
from sklearn.metrics.pairwise import cosine_similarity

from skal.exceptions import MissingCapabilityError
from skal.functional import top_rows
from skal.inspection._drawing import check_installed
from skal.inspection._models import vectors_of
from skal.metrics._checks import check_rows
from skal.utils._capabilities import compute_outputs, provides
from skal.utils._rows import is_column, num_rows, take_rows, to_list
from skal.utils._validation import check_count

_RANKS = "rank", "n_ranked"
_MOST_SHOWN, _MOST_CLASSES, _TEXT_WIDTH = 10, 3, 66


class QueryExplanation:
    """Why rows were picked: made by :meth:`skal.ActiveLearner.explain_query`.

    It prints readably, the first ten rows of it; :meth:`to_frame` gives all.

    Parameters
    ----------
    columns : dict of str to sequence of length n_rows
        The columns below.

    Attributes
    ----------
    columns : dict of str to sequence of length n_rows
        One entry per row explained in each of:

        row : int
            Its position in the pool.
        text : str
            The row itself, where the pool is one column of texts.
        order : int
            Its place in the batch, from 1; 0 if it is not picked.
        strategy : str
            What picked it, of strategies inside others the innermost; for a row not
            picked the first that could have, "" if none could.
        score, rank, n_ranked : float, int, int
            What that strategy says of the row, larger means label first; its place by
            this score among all rows that the strategy saw, from 1, and their number.
            nan and 0 where the strategy does not score single rows.
        predicted : label
            The class predicted.
        proba_<class> : float
            The probability of each class.
        nearest, nearest_similarity : ndarray
            Positions of the nearest labelled rows in `X_labeled_`, and their cosine
            similarities by the classifier's embedding, or what its pipeline reads.
        nearest_label, nearest_text : list
            Their labels, and themselves if they are texts.
        anchor, anchor_similarity : int, float
            The labelled row whose neighbour it was for :class:`~skal.filters.AnchorAL`,
            the most similar one if there were several; -1 and nan if there was none.
        anchor_label, anchor_text : label, str
            Its label, and itself if it is a text; None if there was none.
        cluster : int
            Its cluster, where the strategy or a filter makes such; -1 if it has none.

        Columns that nothing is known for are not there.

    See Also
    --------
    SelectionDisplay : The rows picked, in the plane.

    Notes
    -----
    A strategy that picks one row after the other, or draws, does not pick in the order
    of its scores. The scores of :class:`~skal.strategies.REAL` are epsilon, of
    :class:`~skal.strategies.BatchBALD` those of single rows, of
    :class:`~skal.strategies.AcTune` uncertainties.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skal import ActiveLearner
    >>> learner = ActiveLearner(make_pipeline(TfidfVectorizer(), LogisticRegression()))
    >>> learner = learner.fit(["good film", "bad story"], ["pos", "neg"])
    >>> pool = ["a good film", "a bad story", "some film"]
    >>> learner.explain_query(pool, 1, n_neighbors=1)
    1 row, 1 picked
    <BLANKLINE>
    row 2: 'some film'
      picked 1st by Entropy: score 0.6832, rank 1 of 3
      predicted pos 0.57, neg 0.43
      nearest labelled: pos 0.71 'good film'
    """

    def __init__(self, columns):
        self.columns = columns

    def __len__(self):
        return len(self.columns["row"])

    def to_frame(self):
        """Make a data frame, one line per row.

        Returns
        -------
        frame : pandas.DataFrame
            With the columns.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        check_installed("pandas", "QueryExplanation.to_frame")
        import pandas as pd

        return pd.DataFrame(self.columns)

    def __repr__(self):
        n_picked = int(np.count_nonzero(self.columns["order"]))
        blocks = [f"{len(self)} row{'s' * (len(self) != 1)}, {n_picked} picked"]
        for i in range(min(len(self), _MOST_SHOWN)):
            line = {name: column[i] for name, column in self.columns.items()}
            blocks.append("\n  ".join(_lines(line)))
        if len(self) > _MOST_SHOWN:
            blocks.append(f"... and {len(self) - _MOST_SHOWN} more: see to_frame()")
        return "\n\n".join(blocks)


def _lines(line):
    text = f": {_quoted(line['text'])}" if "text" in line else ""
    yield f"row {line['row']}{text}"
    yield _choice(line)
    if "predicted" in line:
        yield f"predicted {_probabilities(line)}"
    if len(line.get("nearest", ())):
        texts = line.get("nearest_text") or [None] * len(line["nearest"])
        near = zip(
            line["nearest_label"], line["nearest_similarity"], texts, strict=True
        )
        yield "nearest labelled: " + "\n    ".join(_labeled(*one) for one in near)
    if line.get("anchor", -1) >= 0:
        one = line["anchor_label"], line["anchor_similarity"], line.get("anchor_text")
        yield f"anchor: {_labeled(*one)}"
    if "cluster" in line and line["cluster"] >= 0:
        yield f"cluster {line['cluster']}"


def _choice(line):
    if not line["strategy"]:
        return "not picked: not among the rows to choose from"
    order = line["order"]
    words = f"picked {_ordinal(order)} by" if order else "not picked by"
    words = f"{words} {line['strategy']}"
    if np.isnan(line["score"]):
        return words
    rank = f"rank {line['rank']} of {line['n_ranked']}"
    return f"{words}: score {line['score']:.4g}, {rank}"


def _ordinal(number):
    tens = number % 100 // 10
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if tens != 1 else "th"
    return f"{number}{ending}"


def _probabilities(line):
    proba = {
        name.removeprefix("proba_"): value
        for name, value in line.items()
        if name.startswith("proba_")
    }
    if not proba:
        return str(line["predicted"])
    first = sorted(proba, key=proba.get, reverse=True)[:_MOST_CLASSES]
    return ", ".join(f"{name} {proba[name]:.2f}" for name in first)


def _labeled(label, similarity, text):
    words = f"{label} {similarity:.2f}"
    return words if text is None else f"{words} {_quoted(text)}"


def _quoted(text):
    return repr(textwrap.shorten(str(text), _TEXT_WIDTH, placeholder=" ..."))


def explain(view, picked, rows, n_neighbors):
    """Explain rows of a query that was made.

    Parameters
    ----------
    view : PoolView
        Of the rows that could be picked; its log has the steps of the query.
    picked : ndarray of shape (m,), dtype int64
        Positions in the pool.
    rows : array-like of int or None
        Positions in the pool of the rows to explain.
    n_neighbors : int

    Returns
    -------
    QueryExplanation
    """
    n_neighbors = check_count(n_neighbors, "n_neighbors")
    rows = picked if rows is None else check_rows(rows, num_rows(view.pool))
    X = take_rows(view.pool, rows)
    columns = {"row": rows}
    if is_column(view.pool):
        columns["text"] = to_list(X)
    classifier, labeled = view.estimator, view.labeled
    return QueryExplanation(
        columns
        | _kept(view.log.steps, rows, labeled)
        | _choices(view.log.steps, rows, picked)
        | _predictions(classifier, X, view.classes)
        | _neighbors(classifier, X, labeled, n_neighbors)
    )


def _choices(steps, rows, picked):
    """Which strategy picked each row, or could have, and what it says of it."""
    place = {row: order for order, row in enumerate(picked.tolist(), start=1)}
    columns = {
        "order": np.array([place.get(row, 0) for row in rows.tolist()], dtype=np.int64),
        "strategy": np.full(len(rows), "", dtype=object),
        "score": np.full(len(rows), np.nan),
        **{name: np.zeros(len(rows), dtype=np.int64) for name in _RANKS},
    }
    chosen = np.zeros(len(rows), dtype=bool)
    for step in steps:
        if step.keeps:
            continue
        at = _positions(step.view, rows)
        picks = np.isin(at, step.rows)
        mine = picks | ((at >= 0) & ~chosen & (columns["strategy"] == ""))
        chosen |= picks
        if mine.any():
            columns["strategy"][mine] = type(step.by).__name__
            for name, values in _said(step, at[mine]).items():
                _column(columns, name, values)[mine] = values
    return columns


def _said(step, at):
    """What a strategy says of the rows at these positions of its view."""
    n_rows = len(step.view)
    said = {"score": np.full(n_rows, np.nan), **dict.fromkeys(_RANKS, np.zeros(n_rows))}
    said |= step.by._explain(step.view)
    if not np.isnan(said["score"]).all():
        rank = np.empty(n_rows, dtype=np.int64)
        rank[top_rows(said["score"], n_rows)] = np.arange(1, n_rows + 1)
        said |= {"rank": rank, "n_ranked": np.full(n_rows, n_rows)}
    return {name: np.asarray(values)[at] for name, values in said.items()}


def _column(columns, name, values):
    """The column of that name; a new one says that nothing is known: -1, or nan."""
    if name not in columns:
        missing = -1 if values.dtype.kind in "iu" else np.nan
        columns[name] = np.full(len(columns["order"]), missing, dtype=values.dtype)
    return columns[name]


def _positions(view, rows):
    """Positions in a view of rows of the pool, -1 for those that it does not show."""
    if view.rows is None:
        return rows
    place = np.minimum(np.searchsorted(view.rows, rows), len(view) - 1)
    return np.where(view.rows[place] == rows, place, -1)


def _predictions(classifier, X, classes):
    if classifier is None or not num_rows(X):
        return {}
    columns = {"predicted": np.asarray(classifier.predict(X))}
    if provides(classifier, "proba", X):
        proba = compute_outputs(classifier, X, {"proba"}, classes)["proba"]
        columns |= {f"proba_{name}": proba[:, i] for i, name in enumerate(classes)}
    return columns


def _neighbors(classifier, X, labeled, n_neighbors):
    if classifier is None or not len(labeled) or not num_rows(X):
        return {}
    try:
        vectors, known = (
            vectors_of(classifier, rows, "explain_query") for rows in (X, labeled.X)
        )
    except MissingCapabilityError:
        return {}
    similarity = cosine_similarity(vectors, known)
    nearest = [top_rows(row, min(n_neighbors, len(row))) for row in similarity]
    columns = {
        "nearest": nearest,
        "nearest_similarity": [
            row[near] for row, near in zip(similarity, nearest, strict=True)
        ],
        "nearest_label": [labeled.y[near].tolist() for near in nearest],
    }
    if is_column(labeled.X):
        columns["nearest_text"] = [
            to_list(take_rows(labeled.X, near)) for near in nearest
        ]
    return columns


def _kept(steps, rows, labeled):
    """What filters say of the rows that they kept: their anchors, their clusters."""
    columns = {"order": rows}
    for step in steps:
        said = step.by._explain_kept(step.view, step.n_queries) if step.keeps else {}
        at = _positions(step.view, rows)
        kept = np.isin(at, step.rows)
        for name, values in said.items():
            _column(columns, name, values)[kept] = values[at[kept]]
    del columns["order"]
    if "anchor" in columns:
        columns |= _anchors(columns["anchor"], labeled)
    return columns


def _anchors(anchors, labeled):
    found = anchors >= 0
    columns = {"anchor_label": labeled.y.astype(object)[anchors]}
    if is_column(labeled.X):
        texts = np.empty(len(labeled), dtype=object)
        texts[:] = to_list(labeled.X)
        columns["anchor_text"] = texts[anchors]
    return {name: np.where(found, values, None) for name, values in columns.items()}
