# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Data sets of a simulation: a pool with its labels, and a test set apart."""

import hashlib
import os
from pathlib import Path

import joblib

from skal.utils._describe import describe
from skal.utils._rows import num_rows, readable_rows
from skal.utils._validation import check_labels, check_not_bare_string

_PARTS = ("X", "y", "X_test", "y_test")
_FIELDS = ("data", "target", "data_test", "target_test")


def check_data(value, name):
    """The four parts of a data set; a path or a function that gives one as it is."""
    if isinstance(value, os.PathLike | str):
        path = Path(value).absolute()
        if not path.is_dir():
            raise FileNotFoundError(
                f"A data set that is named by a path is a folder with train.parquet "
                f"and test.parquet. Got datasets[{name!r}]={str(value)!r}, which is no "
                "folder."
            )
        return path
    return value if callable(value) else _four_parts(value, name)


def load_data(value, name="data"):
    """The four parts of what `check_data` returned."""
    if isinstance(value, Path):
        from skal.datasets import load_parquet_folder

        value = load_parquet_folder(value)
    elif callable(value):
        value = value()
    return _four_parts(value, name)


def describe_data(value):
    """What tells one data set from another, as `describe` does: its content."""
    if isinstance(value, Path):
        files = sorted([*value.glob("*.parquet"), *value.glob("labels.json")])
        return {path.name: _digest(path.read_bytes()) for path in files}
    if callable(value):
        return describe(value)
    return {
        "n_rows": repr(num_rows(value[0])),
        "content": joblib.hash(tuple(value)),
    }


def _digest(content):
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _four_parts(value, name):
    if hasattr(value, "keys"):
        missing = [field for field in _FIELDS if field not in value]
        if missing:
            raise ValueError(
                f"A Bunch must have the fields {', '.join(_FIELDS)}. "
                f"datasets[{name!r}] lacks {', '.join(missing)}."
            )
        value = tuple(value[field] for field in _FIELDS)
    if not isinstance(value, tuple) or len(value) != len(_PARTS):
        size = f" of length {len(value)}" if isinstance(value, tuple) else ""
        raise ValueError(
            "A data set must be a tuple (X, y, X_test, y_test), a Bunch, a folder or a "
            f"function that returns one of these. Got datasets[{name!r}] of type "
            f"{type(value).__name__}{size}; sklearn.model_selection.train_test_split "
            "sets test rows apart."
        )
    X, y, X_test, y_test = value
    for rows in (X, X_test):
        check_not_bare_string(rows)
    y, y_test = check_labels(y, num_rows(X)), check_labels(y_test, num_rows(X_test))
    return X, y, readable_rows(X_test), y_test
