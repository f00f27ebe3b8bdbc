# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Strategies by name."""

import pytest

from skal import filters
from skal.cli._errors import UsageError
from skal.cli._names import make_learner
from skal.strategies import Margin, list_strategies


def test_a_strategy_inside_a_strategy():
    spec = {"name": "power-sampling", "beta": 2, "strategy": "margin"}
    name, learner = make_learner(spec, "AnchorAL", "tfidf")
    assert name == "AnchorAL(PowerSampling(Margin, beta=2))"
    assert isinstance(learner.strategy.strategy.strategy, Margin)


def test_every_strategy_with_defaults_has_its_name():
    with pytest.raises(UsageError) as caught:
        make_learner("?", "none", "tfidf")
    offered = set(str(caught.value).rpartition("There are ")[2].rstrip(".").split(", "))
    named = {card["name"] for card in list_strategies()}
    assert offered == named - {"Combine", "ViaProxy"}


@pytest.mark.parametrize(
    ("spec", "match"),
    [
        ("combine", "There is no strategy 'combine'"),
        ("list_strategies", "There is no strategy 'list_strategies'"),
        (
            {"name": "ClassBalanced", "strategy": {"name": "REAL", "n_cluster": 3}},
            "no parameter 'n_cluster'. Did you mean 'n_clusters'",
        ),
        ({"name": "PowerSampling", "strategy": "BADGE"}, "must be an instance of"),
        ({"name": "PowerSampling", "strategy": 3}, "A strategy is a name, or a table"),
        ({"name": "Entropy", "strategy": "BADGE"}, "has no parameter 'strategy'"),
    ],
)
def test_mistakes(spec, match):
    with pytest.raises(UsageError, match=match):
        make_learner(spec, "none", "tfidf")


@pytest.mark.parametrize(
    ("filter_", "model", "encodes"),
    [
        ("ups", "tfidf", False),
        ({"name": "kmeanssub", "n_clusters": 9}, "tfidf", True),
        ("k-means-sub", "skal-tiny", False),
    ],
)
def test_filters_and_what_they_need(filter_, model, encodes):
    _, learner = make_learner("entropy", filter_, model)
    given = not isinstance(getattr(learner.strategy, "encoder", "auto"), str)
    assert given == encodes


def test_every_filter_has_its_name():
    with pytest.raises(UsageError) as caught:
        make_learner("entropy", "?", "tfidf")
    offered = str(caught.value).rpartition("There are ")[2].rstrip(".").split(", ")
    assert sorted(offered) == sorted([*filters.__all__, "none"])
