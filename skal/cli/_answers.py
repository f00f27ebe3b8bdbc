# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Files of labels that people gave, in any order and with gaps."""

from pathlib import Path
from typing import NamedTuple

from skal.cli._labels import as_written, common_type, is_gap, plain_id
from skal.cli._names import meant
from skal.cli._tables import read_table


class Answers(NamedTuple):
    """What one file says: texts, labels (None: skipped), ids as in `Pool.position`.

    `places` says where in the file a row stands, `own` how many rows are none of the
    pool's, `doubles` how many of these have a text of the pool.
    """

    path: Path
    texts: list
    labels: list
    ids: list
    places: list
    own: int
    doubles: int

    def told(self):
        """A line about the file."""
        n_gaps = self.labels.count(None)
        line = f"{self.path}: {len(self.labels) - n_gaps} labels, {n_gaps} rows without"
        if self.own:
            line += f"; {self.own} rows are none of the pool's"
        if self.doubles:
            line += (
                f", but {self.doubles} of their texts are in it and may be asked: "
                "without ids equal texts are different rows"
            )
        return line


def read_answers(path, columns, pool, row):
    """The answers in a file.

    Parameters
    ----------
    path : pathlib.Path
    columns : Columns
    pool : Pool
    row : str
        The name of the ids of a pool without ids.

    Returns
    -------
    Answers
        A file without a column of ids stands alone: its rows are none of the pool's.
    """
    table = read_table(path)
    labels = as_written(table, columns.label)
    name = columns.id or row
    if name not in table.columns:
        ids = [f"{path}#{place}" for place in table.places]
        texts = table.texts(columns.text)
    else:
        ids = _ids(table, name, pool, must_be_known=columns.id is None)
        texts = _texts(table, columns.text, ids, pool)
    pairs = zip(ids, texts, strict=True)
    own = [text for id_, text in pairs if id_ not in pool.position]
    doubles = len(own) and sum(map(set(pool.texts).__contains__, own))
    return Answers(path, texts, labels, ids, table.places, len(own), doubles)


def _ids(table, name, pool, must_be_known):
    seen, ids = {}, []
    for value, place in zip(table.columns[name], table.places, strict=True):
        where = f"{table.path}, {place}"
        if is_gap(value):
            raise ValueError(f"{where}: every row must have an id in column {name!r}.")
        id_ = str(plain_id(value))
        if id_ not in pool.position:
            id_ = id_.removesuffix(".0")
        if id_ in seen:
            raise ValueError(
                f"{where}: an id stands for one row. Got {id_!r} in {seen[id_]} too."
            )
        if must_be_known and id_ not in pool.position:
            raise ValueError(
                f"{where}: column {name!r} holds the numbers of rows in the pool, 0 to "
                f"{len(pool.ids) - 1}. Got {id_!r}; pass the pool that the batch came "
                "from."
            )
        seen[id_] = place
        ids.append(id_)
    return ids


def _texts(table, name, ids, pool):
    """The texts of the pool, and of the table for other rows; they must agree."""
    in_pool = [id_ in pool.position for id_ in ids]
    if name not in table.columns and all(in_pool):
        return [pool.texts[pool.position[id_]] for id_ in ids]
    texts = []
    for text, id_, place in zip(table.texts(name), ids, table.places, strict=True):
        known = pool.texts[pool.position[id_]] if id_ in pool.position else text
        if known.split() != text.split():
            raise ValueError(
                f"{table.path}, {place}: the text is not that of row {id_!r} of the "
                "pool. Pass the pool that the batch came from; with --id its rows may "
                "move."
            )
        texts.append(known)
    return texts


def check_vocabulary(answers, add_labels=()):
    """Refuse labels that the first file with labels lacks, unless they are added.

    Parameters
    ----------
    answers : list of Answers
    add_labels : sequence of str
    """
    labelled = [file for file in answers if set(file.labels) - {None}]
    known = {*add_labels, *(labelled[0].labels if labelled else ())} - {None}
    for file in labelled[1:]:
        for label, place in zip(file.labels, file.places, strict=True):
            if label is not None and label not in known:
                raise ValueError(
                    f"{file.path}, {place}: {label!r} is no label of "
                    f"{labelled[0].path}.{meant(label, known)} There are "
                    f"{', '.join(map(repr, sorted(known)[:20]))}; if it is a new one, "
                    f"add --add-label {label!r}."
                )


def as_labels(answers, add_labels=()):
    """The answers with labels of one type: int if all are whole numbers, else str.

    Parameters
    ----------
    answers : list of Answers
    add_labels : sequence of str

    Returns
    -------
    list of Answers
    """
    labels = [label for file in answers for label in file.labels]
    convert = common_type([*labels, *add_labels])
    return [file._replace(labels=[*map(convert, file.labels)]) for file in answers]
