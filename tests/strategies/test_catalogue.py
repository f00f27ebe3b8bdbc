# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The list of strategies says what is so."""

import inspect

import numpy as np
import pytest

import skal.strategies
from skal import ActiveLearner, TransformerClassifier
from skal.base import QueryStrategy
from skal.exceptions import NotQueryableError
from skal.strategies import list_strategies
from skal.strategies._catalogue import _example

CARDS = list_strategies()


def test_all_strategies_are_listed_once():
    public = (getattr(skal.strategies, name) for name in skal.strategies.__all__)
    classes = [thing for thing in public if inspect.isclass(thing)]
    assert all(issubclass(cls, QueryStrategy) for cls in classes)
    assert {card["class"] for card in CARDS} == set(classes)
    assert len({card["name"] for card in CARDS}) == len(CARDS) == len(classes)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card["name"])
def test_a_card_is_whole(card):
    assert list(card) == [
        "name",
        "class",
        "reads",
        "cold_start",
        "family",
        "time",
        "memory",
        "paper",
        "agreement",
        "deviations",
    ]
    assert card["name"] == card["class"].__name__
    assert card["family"]
    assert card["time"]
    assert card["memory"]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card["name"])
def test_who_can_start_cold(card):
    """What the list says, tried with a transformer that was never fitted."""
    texts = [f"text number {i} of some" for i in range(12)]
    classifier = TransformerClassifier("skal-tiny", device="cpu")
    learner = ActiveLearner(classifier, _example(card["name"]), random_state=0)
    if card["cold_start"]:
        rows = learner.query(texts, 3)
        assert len(np.unique(rows)) == 3
    else:
        with pytest.raises(NotQueryableError):
            learner.query(texts, 3)


def test_families():
    families = list(dict.fromkeys(card["family"] for card in CARDS))
    assert sum(len(list_strategies(family)) for family in families) == len(CARDS)
    with pytest.raises(ValueError, match="must be one of .*'uncertainty'.*Got 'magic'"):
        list_strategies("magic")
