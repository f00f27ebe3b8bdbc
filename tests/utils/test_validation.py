# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Error texts: the rule, what was got, the remedy."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skal.utils import _arrays
from skal.utils import _validation as check


@pytest.mark.parametrize(
    "X",
    [
        ["a", "b"],
        ("a", "b"),
        np.array(["a", "b"]),
        np.array(["a", "b"], dtype=object),
        pd.Series(["a", "b"], index=[5, 3]),
        pl.Series(["a", "b"]),
        pa.array(["a", "b"]),
        pa.chunked_array([["a"], ["b"]]),
    ],
    ids=lambda X: type(X).__name__,
)
def test_texts_of_any_container(X):
    texts = check.check_texts(X)
    assert texts.dtype == object
    assert texts.tolist() == ["a", "b"]
    assert all(type(text) is str or isinstance(text, str) for text in texts)


@pytest.mark.parametrize(
    ("X", "error", "match"),
    [
        ("a text", TypeError, "wrap it in a list"),
        (b"a text", TypeError, "single bytes"),
        ([], ValueError, "holds no texts"),
        (["a", None], ValueError, r"Row 1 is None \(NoneType\); drop"),
        (["a", "b", float("nan")], ValueError, r"Row 2 is nan \(float\)"),
        ([["a"], ["b"]], ValueError, "Row 0 is .* .list"),
        ([1, 2], ValueError, "Row 0 is 1"),
        (np.array([["a", "b"]], dtype=object), ValueError, r"shape \(1, 2\)"),
        (pd.DataFrame({"text": ["a"]}), ValueError, "one column that holds"),
        (pd.Series(["a", None], dtype=object), ValueError, "Row 1 is None"),
    ],
    ids=str,
)
def test_what_is_no_text(X, error, match):
    with pytest.raises(error, match=match):
        check.check_texts(X)


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (["a", None, "b"], "Row 1 is missing"),
        ([1.0, np.nan, 2.0], "contains nan in row 1"),
        ([1.0, 2.0, np.inf], "contains inf in row 2"),
        ([0.1, 0.2, 0.3], "[Uu]nknown label type"),
        ([1, 2], "3 rows in X, 2 labels in y"),
    ],
    ids=str,
)
def test_bad_labels(y, match):
    with pytest.raises(ValueError, match=match):
        check.check_labels(np.array(y, dtype=object) if None in y else y, 3)


def test_unknown_labels_are_named_plainly():
    with pytest.raises(ValueError, match=r"classes=\['a', 'b'\]. Got \['c'\]; add"):
        check.check_known_labels(np.array(["c", "a"]), np.array(["a", "b"]))


def test_answers():
    labels, answered = check.check_answers(["b", None, pd.NA, float("nan"), "a"], 5)
    assert labels.tolist() == ["b", "a"]
    assert answered.tolist() == [True, False, False, False, True]
    assert check.check_answers([None], 1)[0].tolist() == []
    with pytest.raises(TypeError, match="single str"):
        check.check_answers("ab", 2)


@pytest.mark.parametrize("value", [1, np.int64(3)])
def test_counts(value):
    assert type(check.check_count(value, "n")) is int


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "3", None, np.float64(2)])
def test_bad_counts(value):
    with pytest.raises((TypeError, ValueError), match="n must be an int of at least 1"):
        check.check_count(value, "n")


def test_vectors_are_float32_and_contiguous():
    X = np.asfortranarray(np.random.RandomState(0).normal(size=(4, 3)))
    vectors = _arrays.check_vectors(X)
    assert vectors.dtype == np.float32
    assert vectors.flags.c_contiguous


def test_texts_are_no_vectors():
    with pytest.raises(TypeError, match="dense numeric vectors"):
        _arrays.check_vectors(["a", "b"])
