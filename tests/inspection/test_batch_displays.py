# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""One mark per batch: at its place, the later the darker."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.utils import Bunch

from skal import ActiveLearner
from skal.exceptions import MissingCapabilityError
from skal.inspection import DiversityUncertaintyDisplay, LossDivergenceDisplay
from skal.metrics import (
    batch_uncertainty,
    boundary_divergence,
    first_step_loss,
    token_diversity,
)
from skal.strategies import REAL, Entropy, RandomSampling

X, Y = make_blobs(600, centers=4, cluster_std=3.0, random_state=0)


def bought(strategy, estimator=None, **params):
    learner = ActiveLearner(
        LogisticRegression() if estimator is None else estimator,
        strategy,
        n_queries=15,
        budget=90,
        keep_estimators=True,
        random_state=0,
    )
    return learner.set_params(**params).fit(X, Y)


@pytest.fixture(scope="module")
def learners():
    return {
        "REAL": bought(REAL(n_clusters=8)),
        "entropy": bought(Entropy()),
        "random": bought(RandomSampling()),
    }


def test_loss_and_divergence(learners, save):
    display = LossDivergenceDisplay.from_learners(learners, X, Y, n_bins=12, top=0.3)
    save(display.figure_, "loss_divergence")
    left = np.ones(len(X), dtype=bool)
    learner = learners["entropy"]
    left[learner.rounds_[0]["rows"]] = False
    for t, entry in enumerate(learner.rounds_[1:]):
        pool, rows = np.flatnonzero(left), entry["rows"]
        model = learner.estimators_[t]
        batch = np.searchsorted(pool, rows)
        loss = first_step_loss(Y[pool], model.predict_proba(X[pool]), batch)
        assert display.loss["entropy"][t] == pytest.approx(loss)
        divergence = boundary_divergence(
            X[pool].astype(np.float32),
            Y[pool],
            model.predict(X[pool]),
            batch,
            n_bins=12,
            top=0.3,
        )
        assert display.divergence["entropy"][t] == pytest.approx(
            divergence, nan_ok=True
        )
        left[rows] = False
    assert display.rounds["entropy"].tolist() == [1, 2, 3, 4, 5]
    drawn = display.scatters_[1].get_offsets()
    found = np.column_stack([display.divergence["entropy"], display.loss["entropy"]])
    np.testing.assert_array_equal(drawn, found[np.isfinite(found).all(axis=1)])
    assert display.ax_.get_xlabel().startswith("divergence")
    assert display.ax_.get_ylabel().startswith("loss")
    legend = display.ax_.get_legend()
    assert legend.get_title().get_text() == "darker: later round"
    assert [text.get_text() for text in legend.get_texts()] == list(learners)


def test_a_large_pool_is_thinned(learners):
    display = LossDivergenceDisplay.from_learners(
        {"random": learners["random"]},
        X,
        Y,
        max_points=100,
        n_bins=5,
        top=1.0,
        random_state=0,
    )
    assert np.isfinite(display.divergence["random"]).all()
    whole = LossDivergenceDisplay.from_learners({"random": learners["random"]}, X, Y)
    np.testing.assert_allclose(display.loss["random"], whole.loss["random"])


def test_sentences_by_a_projection_of_ones_own(sentences, pipeline):
    from sklearn.decomposition import TruncatedSVD

    texts, y, _, _ = sentences
    learner = ActiveLearner(
        clone(pipeline),
        RandomSampling(),
        n_queries=10,
        initial={0: 10, 1: 10},
        budget=40,
        keep_estimators=True,
        random_state=0,
    ).fit(texts, y)
    display = LossDivergenceDisplay.from_learners(
        {"random": learner},
        texts,
        y,
        projection=TruncatedSVD(2),
        n_bins=8,
        random_state=0,
    )
    assert len(display.loss["random"]) == 2
    assert (display.loss["random"] > 0).all()


def test_a_learner_that_bought_its_initial_rows_only():
    learner = bought(RandomSampling(), budget=15)
    display = LossDivergenceDisplay.from_learners({"random": learner}, X, Y)
    assert display.loss["random"].tolist() == []
    assert len(display.scatters_) == 1


def test_what_from_learners_refuses(learners):
    plain = ActiveLearner(LogisticRegression()).fit(X, Y)
    with pytest.raises(ValueError, match="'plain' has not; fit it with a budget"):
        LossDivergenceDisplay.from_learners({"plain": plain}, X, Y)
    with pytest.raises(ValueError, match="Got 90 rows, and 'REAL' bought row"):
        LossDivergenceDisplay.from_learners(learners, X[:90], Y[:90])
    with pytest.raises(ValueError, match="one entry per row"):
        LossDivergenceDisplay.from_learners(learners, X, Y[:90])
    machine = {"svc": bought(RandomSampling(), LinearSVC())}
    with pytest.raises(MissingCapabilityError, match="reads 'proba'.*LinearSVC"):
        LossDivergenceDisplay.from_learners(machine, X, Y)


def test_diversity_and_uncertainty(table, sentences, pipeline, save):
    texts, y, _, _ = sentences
    vectorizer, classifier = clone(pipeline).fit(texts, y)
    vectors = vectorizer.transform(texts)
    tokens = [vectors[row].indices for row in range(len(texts))]
    proba = classifier.predict_proba(vectors)
    display = DiversityUncertaintyDisplay.from_simulation(table, tokens, proba)
    save(display.figure_, "diversity_uncertainty")
    assert list(display.diversity) == ["entropy", "RandSub(entropy)", "random"]
    mine = (table.learner == "random") & (table["round"] > 0)
    for i, row in enumerate(np.flatnonzero(mine)):
        rows = table.rows[row]
        diversity = token_diversity(tokens, rows)
        assert display.diversity["random"][i] == pytest.approx(diversity)
        assert display.uncertainty["random"][i] == batch_uncertainty(proba[rows])
        assert display.rounds["random"][i] == table["round"][row]
    assert display.ax_.get_xlabel() == "uncertainty $G_u$ (nats)"
    assert display.ax_.get_ylabel() == "diversity $G_d$"
    fewer = DiversityUncertaintyDisplay.from_simulation(
        table, tokens, proba, exclude=tokens[0]
    )
    assert fewer.diversity != display.diversity
    with pytest.raises(ValueError, match="of the same texts"):
        DiversityUncertaintyDisplay.from_simulation(table, tokens[1:], proba)
    kept = Bunch(**{name: table[name] for name in table if name != "rows"})
    with pytest.raises(ValueError, match="name 'rows'"):
        DiversityUncertaintyDisplay.from_simulation(kept, tokens, proba)


def test_the_later_the_darker():
    display = DiversityUncertaintyDisplay(
        diversity={"a": [0.1, 0.2, 0.3], "b": [0.1]},
        uncertainty={"a": [0.1, 0.2, 0.3], "b": [0.1]},
        rounds={"a": [1, 2, 5], "b": [3]},
    ).plot()
    alphas = [scatter.get_alpha().tolist() for scatter in display.scatters_]
    assert alphas == [[0.25, 0.4375, 1.0], [0.625]]
    colors = {to_hex(scatter.get_facecolor()[0]) for scatter in display.scatters_}
    assert len(colors) == 2
    shapes = {s.get_paths()[0].vertices.tobytes() for s in display.scatters_}
    assert len(shapes) == 2


def test_batches_without_a_divergence_are_not_drawn():
    display = LossDivergenceDisplay(
        loss={"a": [0.1, 0.2]}, divergence={"a": [np.nan, 0.3]}, rounds={"a": [1, 1]}
    ).plot()
    assert display.scatters_[0].get_offsets().tolist() == [[0.3, 0.2]]
    assert display.ax_.get_legend().get_title().get_text() == ""


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"loss": {"b": [0.1]}}, "dicts of the same names"),
        ({"loss": {"a": [0.1, 0.2]}}, r"Got shapes \(1,\), \(2,\), \(1,\) for 'a'"),
        ({key: {} for key in ["loss", "divergence", "rounds"]}, "at least one"),
    ],
)
def test_what_is_refused(change, match):
    good = {name: {"a": [0.1]} for name in ("loss", "divergence", "rounds")}
    with pytest.raises(ValueError, match=match):
        LossDivergenceDisplay(**good | change).plot()
