# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""QueryPipeline: the same picks as nested filters, with flat names."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from skal import ActiveLearner, QueryPipeline, make_query_pipeline
from skal.base import Reads
from skal.filters import AnchorAL, RandSub
from skal.strategies import Entropy, RandomSampling


def test_it_picks_what_nested_filters_pick():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(500, 4))
    y = (X[:, 0] > 0).astype(int)
    classifier = LogisticRegression().fit(X[:40], y[:40])
    flat = make_query_pipeline(
        RandSub(max_subpool=200), "passthrough", AnchorAL(n_neighbors=5), Entropy()
    )
    nested = RandSub(AnchorAL(Entropy(), n_neighbors=5), max_subpool=200)
    rows = [
        ActiveLearner(classifier, strategy, random_state=0).fit(X[:40], y[:40]).query(X)
        for strategy in (flat, nested)
    ]
    assert rows[0].tolist() == rows[1].tolist()


def test_names_parameters_and_clone():
    pipeline = make_query_pipeline(RandSub(), RandSub(), AnchorAL(), Entropy())
    assert list(pipeline.named_steps) == [
        "randsub-1",
        "randsub-2",
        "anchoral",
        "entropy",
    ]
    assert pipeline.get_params()["anchoral__n_neighbors"] == 50
    other = clone(pipeline).set_params(anchoral__n_neighbors=7)
    assert pipeline.named_steps["anchoral"].n_neighbors == 50
    assert other.named_steps["anchoral"].n_neighbors == 7
    other.set_params(anchoral="passthrough", entropy=RandomSampling())
    assert other.named_steps["anchoral"] == "passthrough"
    assert isinstance(other.named_steps["entropy"], RandomSampling)


def test_what_is_read_is_the_union():
    pipeline = make_query_pipeline(AnchorAL(anchors="entropy"), Entropy())
    assert pipeline.reads == Reads(
        pool=frozenset({"encoding", "proba"}), labeled=frozenset({"proba"})
    )
    assert pipeline.set_params(anchoral="passthrough").reads == Reads(
        pool=frozenset({"proba"})
    )
    assert AnchorAL(anchors="entropy").reads.labeled == {"proba"}
    assert not RandomSampling().reads


@pytest.mark.parametrize(
    ("steps", "error", "match"),
    [
        ([], ValueError, "at least a strategy"),
        ([("a", Entropy()), ("b", Entropy())], TypeError, "strategies go last"),
        (
            [("a", RandSub(Entropy())), ("b", Entropy())],
            ValueError,
            "must leave its own",
        ),
        ([("a", RandSub()), ("b", "passthrough")], TypeError, "last step"),
        ([("a", RandSub()), ("a", Entropy())], ValueError, "not unique"),
        ([("a__b", Entropy())], ValueError, "__"),
        ([("a", RandSub(max_subpool=0)), ("b", Entropy())], ValueError, "max_subpool"),
    ],
    ids=str,
)
def test_bad_steps_are_refused_before_any_work(steps, error, match):
    learner = ActiveLearner(LogisticRegression(), QueryPipeline(steps))
    with pytest.raises(error, match=match):
        learner.fit([[0.0], [1.0]], [0, 1])
    assert not hasattr(learner, "estimator_")
