# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Predicted losses through the class: golden scores, one pass, learners on texts."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skal import ActiveLearner, TransformerClassifier
from skal.base import PoolView, Reads
from skal.exceptions import MissingCapabilityError, SingleClassWarning
from skal.filters import AnchorAL, RandSub
from skal.neural import SequenceClassifier, TokenTable
from skal.neural._loss_prediction import LossModule
from skal.strategies import Combine, Entropy, PredictedLoss, RandomSampling
from skal.text import DenseClassifier, LossPredictingClassifier

GOLDEN = Path(__file__).parents[1] / "golden" / "loss_prediction"


class GoldenLosses:
    """A classifier whose rows are numbers of golden features, seen by golden weights.

    It has no `predict_outputs`, as a classifier of one's own may not.
    """

    def __init__(self):
        self.classes_ = np.arange(2)
        self.case = np.load(GOLDEN / "lossnet_forward.npz")
        features = [self.case[f"feat{i}"].mean(axis=(2, 3)) for i in range(4)]
        sizes = [states.shape[1] for states in features]
        self.states = [torch.tensor(states) for states in features]
        self.module = LossModule([0, 1, 2, 3], sizes, len(self.case["FC1_bias"]))
        layers = [*self.module.branches, self.module.last_linear]
        names = ["FC1", "FC2", "FC3", "FC4", "linear"]
        for name, layer in zip(names, layers, strict=True):
            for part in ("weight", "bias"):
                getattr(layer, part).data = torch.tensor(self.case[f"{name}_{part}"])

    def predict_loss(self, X):
        with torch.no_grad():
            return self.module([states[X[:, 0]] for states in self.states]).numpy()


def golden_view():
    classifier = GoldenLosses()
    rows = np.arange(7)[:, None]
    view = PoolView(rows, estimator=classifier, classes=classifier.classes_)
    return view, classifier.case["out"][:, 0]


def test_scores_are_the_golden_ones():
    view, golden = golden_view()
    scores = PredictedLoss()._represent(view)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores[:, 0], golden, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n_queries", [1, 3, 7])
def test_picks_are_the_golden_ones(n_queries):
    """The code takes the last of the ascending order."""
    view, golden = golden_view()
    rows = PredictedLoss()._query(view, n_queries)
    assert rows.tolist() == np.argsort(golden)[::-1][:n_queries].tolist()


@pytest.mark.parametrize("seed", range(20))
def test_random_picks_in_its_place_would_fail(seed):
    view, golden = golden_view()
    rows = RandomSampling(random_state=seed)._query(view, 7)
    assert rows.tolist() != np.argsort(golden)[::-1].tolist()


# What it asks of the classifier.

X = np.random.RandomState(0).normal(size=(80, 3)).astype(np.float32)
Y = np.array(["a", "b"])[(X[:, 0] + X[:, 1] > 0).astype(int)]


def dense(**params):
    quick = {"hidden_layer_sizes": (8, 8), "lr": 0.01, "max_epochs": 3}
    return DenseClassifier(**quick, device="cpu", **params)


@pytest.fixture(scope="module")
def fitted():
    return LossPredictingClassifier(dense(), random_state=0).fit(X[:40], Y[:40])


def view_of(classifier, rows=X, **reads):
    reads = Reads(**{key: frozenset(names) for key, names in reads.items()})
    labeled = (X[:40], Y[:40], np.zeros(40, dtype=int))
    settings = {"classes": np.array(["a", "b"]), "labeled": labeled, "reads": reads}
    return PoolView(rows, estimator=classifier, **settings)


def test_one_pass_gives_all_that_is_read(fitted):
    sizes = []
    hook = fitted.net_.module_.hidden[0].register_forward_pre_hook(
        lambda layer, args: sizes.append(len(args[0]))
    )
    view = view_of(fitted, pool=["predicted_loss", "proba", "embedding"])
    assert view.predicted_loss.shape == (80,)
    assert view.proba.shape == (80, 2)
    part = view.take([3, 7]).take([1])
    assert part.predicted_loss.tolist() == view.predicted_loss[[7]].tolist()
    strategy = Combine([Entropy(), PredictedLoss()])
    strategy.fit(X[:40], Y[:40], estimator=fitted).query(X[40:], n_queries=4)
    hook.remove()
    assert sizes == [80, 40]


def test_of_labelled_rows_too(fitted):
    view = view_of(fitted, labeled=["predicted_loss"])
    np.testing.assert_array_equal(
        view.labeled.predicted_loss, fitted.predict_loss(X[:40])
    )


def test_the_largest_are_picked(fitted):
    rows = PredictedLoss().fit(X, Y, estimator=fitted).query(X, n_queries=9)
    order = np.argsort(-fitted.predict_loss(X), kind="stable")
    assert rows.tolist() == order[:9].tolist()


def test_behind_the_steps_of_a_pipeline():
    pipe = make_pipeline(
        StandardScaler(), LossPredictingClassifier(dense(), random_state=0)
    ).fit(X[:40], Y[:40])
    strategy = PredictedLoss().fit(X[:40], Y[:40], estimator=pipe)
    expected = pipe[-1].predict_loss(pipe[0].transform(X))
    np.testing.assert_array_equal(strategy.transform(X)[:, 0], expected)


@pytest.mark.parametrize("strategy", [PredictedLoss(), RandSub(PredictedLoss())])
@pytest.mark.parametrize("classifier", [LogisticRegression(), dense()])
def test_a_classifier_that_predicts_no_loss_is_refused_before_it_is_trained(
    strategy, classifier, monkeypatch
):
    def never(self, X, y):
        raise AssertionError("trained before it was refused")

    monkeypatch.setattr(type(classifier), "fit", never)
    message = "`predict_loss`.*put skal.text.LossPredictingClassifier around"
    with pytest.raises(MissingCapabilityError, match=message):
        ActiveLearner(classifier, strategy).fit(X[:40], Y[:40])


# Learners.


@pytest.fixture(scope="module")
def of_text():
    classifier = TransformerClassifier(
        "skal-tiny", lr=1e-3, max_epochs=2, min_steps=4, max_length=32, device="cpu"
    )
    return LossPredictingClassifier(classifier, hidden_size=16)


ALONE_AND_FILTERED = [
    PredictedLoss(),
    AnchorAL(PredictedLoss(), n_anchors=2, n_neighbors=5, max_subpool=20),
]


@pytest.mark.parametrize("strategy", ALONE_AND_FILTERED, ids=repr)
def test_rounds_on_texts(of_text, toy_texts, strategy):
    X, y = toy_texts
    learner = ActiveLearner(
        of_text, strategy, n_queries=5, budget=25, initial=15, random_state=0
    ).fit(X, y)
    rows = np.concatenate([entry["rows"] for entry in learner.rounds_])
    assert len(set(rows.tolist())) == 25
    left = [X[row] for row in np.setdiff1d(np.arange(80), rows)]
    batch = learner.query(left)
    if isinstance(strategy, PredictedLoss):
        losses = learner.estimator_.predict_loss(left)
        assert losses[batch].min() >= np.sort(losses)[-5]
    assert learner.estimator_.estimator.model == "skal-tiny"


@pytest.mark.parametrize("strategy", ALONE_AND_FILTERED, ids=repr)
def test_a_seed_of_one_class(of_text, toy_texts, strategy):
    X, y = toy_texts
    first = np.flatnonzero(y == "pos")[:8]
    learner = ActiveLearner(of_text, strategy, n_queries=5, random_state=0)
    with pytest.warns(SingleClassWarning):
        learner.fit([X[row] for row in first], y[first])
    assert len(learner.query(X)) == 5  # of a constant, whose losses are all 0
    learner.set_params(classes=["neg", "pos"]).fit([X[row] for row in first], y[first])
    assert learner.estimator_.predict_proba(X).shape == (80, 2)
    assert learner.estimator_.predict_loss(X).std() > 0
    assert len(learner.query(X)) == 5


def test_a_pool_is_tokenised_once_and_passes_once(of_text, toy_texts, monkeypatch):
    tokenized, passed = [], []
    init, run = TokenTable.__init__, SequenceClassifier._run

    def read(self, texts, *args, **kwargs):
        tokenized.extend(texts)
        init(self, texts, *args, **kwargs)

    def look(self, inputs, **options):
        passed.append(len(inputs["input_ids"]))
        return run(self, inputs, **options)

    X, y = toy_texts
    pool = [f"{text} again" for text in X]
    learner = ActiveLearner(of_text, Combine([Entropy(), PredictedLoss()]), n_queries=4)
    learner.fit(X[:20], y[:20])
    monkeypatch.setattr(TokenTable, "__init__", read)
    monkeypatch.setattr(SequenceClassifier, "_run", look)
    learner.query(pool)
    assert sum(passed) == len(tokenized) == 80
    learner.query(pool)
    assert sum(passed) == 160
    assert len(tokenized) == 80


# Real texts.


def of_trec(tiny_bert, **params):
    classifier = TransformerClassifier(
        tiny_bert, lr=5e-4, max_epochs=10, min_steps=0, max_length=64, device="cpu"
    )
    return LossPredictingClassifier(classifier, **params)


@pytest.mark.slow
def test_losses_of_held_out_questions_are_ranked(tiny_bert, trec):
    """Five seeds, each with 500 questions of its own: see benchmarks as well."""
    X, y, X_test, y_test = trec
    found = []
    for seed in range(5):
        rows = np.random.RandomState(seed).choice(len(X), 500, replace=False)
        clf = of_trec(tiny_bert, random_state=seed, classes=np.unique(y))
        clf.fit([X[row] for row in rows], y[rows])
        outputs = clf.predict_outputs(X_test, ["logits", "predicted_loss"])
        losses = torch.nn.functional.cross_entropy(
            torch.from_numpy(outputs["logits"]),
            torch.from_numpy(np.searchsorted(clf.classes_, y_test)),
            reduction="none",
        )
        found.append(spearmanr(outputs["predicted_loss"], losses)[0])
    print(f"rho {np.mean(found):.3f}, from {min(found):.3f} to {max(found):.3f}")
    assert np.mean(found) > 0.4
    assert min(found) > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [PredictedLoss(), AnchorAL(PredictedLoss())])
def test_three_rounds_on_trec(tiny_bert, trec, strategy):
    X, y, X_test, y_test = trec
    learner = ActiveLearner(
        of_trec(tiny_bert),
        strategy,
        n_queries=20,
        budget=160,
        initial=100,
        classes=np.unique(y),
        random_state=0,
    ).fit(X[:1000], y[:1000])
    rows = np.concatenate([entry["rows"] for entry in learner.rounds_])
    assert len(learner.rounds_) == 4
    assert len(set(rows.tolist())) == 160
    assert learner.score(X_test, y_test) > 2 / 6
    losses = learner.estimator_.predict_loss(X[1000:1500])
    batch = learner.query(X[1000:1500], 20)
    assert losses[batch].mean() > losses.mean()
