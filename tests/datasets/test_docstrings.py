# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

import sys

import numpy as np
import pytest

from skal.datasets import load_docstrings
from skal.datasets._prose import is_english, paragraphs, plain, split_sentences

RED = '''
"""This module of the red package paints all of the walls.

It was written by e.g. Dr. Smith and is used in most of the houses. See also: nothing.
"""

def paint(wall):
    r"""Paint the ``wall`` with :func:`redpkg.paint` in a *very* bright colour.

    Every wall that is given must be of the `Wall`_ kind and free of paint.

    - A list item is not in the prose and so it is left out.

    .. note:: A directive is not in the prose and so it is left out.

    >>> paint("It is a doctest and so it must be left out of this.")

    Parameters
    ----------
    wall : Wall
        The wall that is to be painted, which is in the table.

    Notes
    -----
    The paint dries in the sun and it is then as hard as stone.

        An indented block is code and so it is left out of this.

    This is set to wall.colour and so it is code for the parser.
    """

class Brush:
    """A sentence that is in both of the packages belongs to none."""

    def clean(self):
        """Clean the brush in the water that NumPy and redpkg have left."""

add_newdoc("redpkg.dip", """
    Dip the brush into the paint until it is full of colour.
    """)
'''
BLUE = '''
"""The blue package mixes all of the colours that are in the box.

A sentence that is in both of the packages belongs to none.
The blue package mixes all of the colours that are in the box.
"""
'''


@pytest.fixture
def packages(tmp_path, monkeypatch):
    files = {
        "redpkg/__init__.py": RED,
        "redpkg/tests/test_red.py": '"""A test is not in the prose of the package."""',
        "redpkg/broken.py": "def (",
        "bluepkg/__init__.py": BLUE,
        "bluepkg/b.py": '"""The second file comes after the first in the order."""',
        "emptypkg/__init__.py": "",
    }
    for name, source in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    return ["redpkg", "bluepkg"]


def test_harvest_of_two_small_packages(packages):
    bunch = load_docstrings(packages)
    assert bunch.target_names == ["bluepkg", "redpkg"]
    assert bunch.data == [
        "The blue package mixes all of the colours that are in the box.",
        "The second file comes after the first in the order.",
        "This module of the red package paints all of the walls.",
        "It was written by e.g. Dr. Smith and is used in most of the houses.",
        "Paint the wall with paint in a very bright colour.",
        "Every wall that is given must be of the Wall kind and free of paint.",
        "The paint dries in the sun and it is then as hard as stone.",
        "Clean the brush in the water that [LIB] and [LIB] have left.",
        "Dip the brush into the paint until it is full of colour.",
    ]
    assert bunch.target.tolist() == [0] * 2 + [1] * 7
    assert bunch.target.dtype == np.int64
    assert bunch.versions == {}
    assert "[LIB]" in bunch.DESCR


def test_no_package_is_imported(packages):
    load_docstrings(packages)
    assert "redpkg" not in sys.modules


def test_lengths_and_cap(packages):
    data, target = load_docstrings(packages, max_words=10, return_X_y=True)
    assert max(len(text.split()) for text in data) == 10
    assert len(data) == len(target)
    data, target = load_docstrings(packages, max_per_package=2, return_X_y=True)
    assert np.bincount(target).tolist() == [2, 2]
    with pytest.raises(ValueError, match="hold no sentence of 39 to 40 words"):
        load_docstrings(packages, min_words=39)


def test_packages_without_sentences_are_no_class(packages):
    bunch = load_docstrings([*packages, "emptypkg"])
    assert bunch.target_names == ["bluepkg", "redpkg"]


def test_shuffling(packages):
    ordered = load_docstrings(packages)
    shuffled = load_docstrings(packages, random_state=0)
    again = load_docstrings(packages, random_state=np.random.RandomState(0))
    assert shuffled.data == again.data != ordered.data
    label = dict(zip(ordered.data, ordered.target, strict=True))
    assert [label[text] for text in shuffled.data] == shuffled.target.tolist()


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"packages": "numpy"}, ValueError, "'packages' parameter .*'numpy'"),
        ({"packages": ["numpy"]}, ValueError, "at least two import names"),
        ({"packages": 3}, ValueError, "'packages' parameter"),
        (
            {"packages": ["numpy", "scikit-learn"]},
            ModuleNotFoundError,
            "Not found: scikit-learn. .*import names",
        ),
        ({"packages": ["numpy", "no_such"]}, ModuleNotFoundError, "no_such"),
        ({"packages": ["numpy", "json.tool"]}, ModuleNotFoundError, "json.tool"),
        ({"min_words": 0}, ValueError, "'min_words' parameter"),
        ({"min_words": 9, "max_words": 8}, ValueError, "must not exceed"),
        ({"max_per_package": 0}, ValueError, "'max_per_package' parameter"),
        ({"return_X_y": "yes"}, ValueError, "'return_X_y' parameter"),
        ({"random_state": "x"}, ValueError, "'random_state' parameter"),
    ],
)
def test_bad_parameters(params, error, message):
    with pytest.raises(error, match=message):
        load_docstrings(**params)


def test_installed_packages():
    names = ["joblib", "numpy", "sklearn", "skorch"]
    bunch = load_docstrings(names)
    assert bunch.target_names == names
    counts = np.bincount(bunch.target)
    assert (counts >= 100).all()
    assert counts.max() > 2 * counts.min()  # naturally imbalanced
    assert len(set(bunch.data)) == len(bunch.data)
    assert set(bunch.versions) == set(names)
    text = " ".join(bunch.data).lower()
    for name in ("numpy", "np.", "sklearn", "scikit-learn", "torch", "joblib", "::"):
        assert name not in text
    assert all(text.isascii() for text in bunch.data)
    assert load_docstrings(names).data == bunch.data


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("See ``x`` and `y`_ or `a text <url>`__.", "See x and y or a text."),
        (":class:`~a.B` and :ref:`this <label>`.", "a.B and this."),
        ("**Bold** and *thin*, 2 * 3 * 4.", "Bold and thin, 2 * 3 * 4."),
        ("A footnote [1]_ stays.", "A footnote [1]_ stays."),
    ],
)
def test_markup_is_stripped(markup, text):
    assert plain(markup) == text


def test_paragraphs():
    docstring = "One\nline.\n\nNotes\n-----\nTwo.\n\n    code\n\nReturns\n-------\nint"
    assert list(paragraphs(docstring)) == ["One line.", "Two."]
    assert list(paragraphs("Title\n=====\n\nText.\n\n:param x: no\n\n1. no")) == [
        "Text."
    ]


def test_sentences_are_split():
    assert split_sentences("It is so, cf. Smith et al. 2009. Is it? (Yes.) Fine!") == [
        "It is so, cf. Smith et al. 2009.",
        "Is it?",
        "(Yes.)",
        "Fine!",
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        "lower case is not how the sentence of a docstring opens.",
        "The end of this sentence is not in the text",
        "Set the value of x = 3 and of all the other values.",
        "The value of x_max is in the table of the values.",
        "Call foo() with the value that is in the table.",
        "The attribute a.shape is that of the array in it.",
        "The class of the CamelCase is not a word in it.",
        "The bracket (is not closed at the end of it.",
        "The page is at http://example.org in the net.",
        "A hole that was left by , in the markup is not good.",
        "Übermut is not in the ASCII range of the words.",
        "Green ideas sleep furiously round corners tonight.",
        "Too short is it.",
        "X Y 1 2 3 4 5 6 7 8 9 of the.",
    ],
)
def test_not_english(sentence):
    assert not is_english(sentence, 6, 40)


def test_english():
    assert is_english("Is it (as they say) a well-formed sentence, 'or not'?", 6, 40)
