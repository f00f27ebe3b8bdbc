# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A pool and its test rows, from columns of texts and labels."""

import numpy as np
from sklearn.utils import Bunch

from skal.utils._validation import check_labels, check_texts


def check_columns(columns, wanted, where):
    """Refuse columns that are not there, and say which ones are."""
    missing = [column for column in wanted if column not in columns]
    if missing:
        raise ValueError(
            f"{where} has no column {' and '.join(map(repr, missing))}. It has "
            f"{', '.join(map(repr, columns))}; name those that hold the texts and the "
            "labels: text_column=, label_column=."
        )


def bunch_of_splits(train, test, names=None):
    """The Bunch of two splits, each a pair (texts, labels).

    Labels that are str become their positions in `names`, those of the training rows in
    alphabetical order where there are none.
    """
    texts, labels = zip(train, test, strict=True)
    texts = [check_texts(column).tolist() for column in texts]
    labels = [check_labels(y, len(X)) for X, y in zip(texts, labels, strict=True)]
    if labels[0].dtype.kind not in "iub":
        names = sorted(set(labels[0].tolist())) if names is None else names
        labels = [_codes(y, names) for y in labels]
    labels = [y.astype(np.int64) for y in labels]
    if names is not None:
        _check_codes(np.concatenate(labels), names)
    return Bunch(
        data=texts[0],
        target=labels[0],
        data_test=texts[1],
        target_test=labels[1],
        target_names=names,
    )


def _codes(labels, names):
    code = {name: i for i, name in enumerate(names)}
    unknown = sorted(set(labels.tolist()) - set(code))
    if unknown:
        raise ValueError(
            f"Every label must have a name that is known. Got {unknown[:5]}; the names "
            f"are {list(names)[:20]}."
        )
    return np.array([code[label] for label in labels.tolist()])


def _check_codes(codes, names):
    if codes.min() < 0 or codes.max() >= len(names):
        raise ValueError(
            f"Labels must be positions in the list of {len(names)} names. Got "
            f"{codes.min()} to {codes.max()}; the list belongs to other labels."
        )
