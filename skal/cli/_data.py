# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Data sets of a comparison, from files."""

from collections import Counter

import numpy as np
from sklearn.model_selection import train_test_split

from skal.cli._errors import UsageError
from skal.cli._labels import as_written, common_type
from skal.cli._tables import READABLE, read_table


def load_data(path, *, test=None, test_share=0.2, text="text", label="label"):
    """Texts and labels to buy from, and others to be judged on.

    Parameters
    ----------
    path : pathlib.Path
        A file of rows, or a folder with ``train`` and ``test`` in one of its formats.
    test : pathlib.Path or None, default=None
        A file with the test rows. None takes those of the folder, or sets rows apart.
    test_share : float, default=0.2
        How many are set apart. Which ones depends on the file alone.
    text, label : str
        The columns.

    Returns
    -------
    data : tuple (X, y, X_test, y_test)
        Labels are int where all of them are whole numbers, else str.
    """
    if path.is_dir():
        train, test = _in_folder(path, "train"), test or _in_folder(path, "test")
    else:
        train = path
    X, y = _read(train, text, label)
    _check_several(y, train, label)
    if test is not None:
        X_test, y_test = _read(test, text, label)
        _check_known(set(y_test) - set(y), test, train)
    else:
        rarest = min(Counter(y).values())
        X, X_test, y, y_test = train_test_split(
            X,
            y,
            test_size=test_share,
            random_state=0,
            stratify=y if rarest > 1 else None,
        )
    convert = common_type([*y, *y_test])
    y, y_test = (np.array([convert(label) for label in part]) for part in (y, y_test))
    return X, y, X_test, y_test


def _in_folder(folder, split):
    files = [folder / f"{split}{ending}" for ending in READABLE]
    found = [path for path in files if path.is_file()]
    if len(found) != 1:
        raise UsageError(
            f"A folder must hold one file {split} that ends in {', '.join(READABLE)}. "
            f"{folder} holds {', '.join(path.name for path in found) or 'none'}.",
            folder.name,
        )
    return found[0]


def _read(path, text, label):
    table = read_table(path)
    texts, labels = table.texts(text), as_written(table, label)
    if None in labels:
        raise ValueError(
            f"{path}, {table.places[labels.index(None)]}: every row must have a label, "
            f"which a comparison hides. Column {label!r} is empty there; drop the row."
        )
    return texts, labels


def _check_several(labels, path, label):
    if len(set(labels)) < 2:
        raise ValueError(
            f"{path}: there must be at least two labels to tell apart. Column "
            f"{label!r} holds {labels[0]!r} only."
        )


def _check_known(unseen, test, train):
    if unseen:
        raise ValueError(
            f"{test} has labels that {train} lacks, so that they can never be learnt: "
            f"{', '.join(map(repr, sorted(unseen)[:5]))}. Drop these rows, or correct "
            "the labels."
        )
