# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The whole path on raw text: a fine-tuned transformer, plain nets, pipelines."""

import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

from skal import ActiveLearner, TransformerClassifier, make_query_pipeline
from skal.exceptions import ModelNotFoundError
from skal.filters import AnchorAL, RandSub
from skal.strategies import Entropy, RandomSampling
from skal.text import SentenceEncoder
from skal.utils.estimator_checks import check_query_strategy


@pytest.fixture(scope="module")
def make(tiny_checkpoint):
    """A learner around a tiny transformer that trains in a fraction of a second."""

    def make(strategy=None, **kwargs):
        classifier = TransformerClassifier(
            tiny_checkpoint,
            lr=5e-3,
            batch_size=8,
            max_epochs=2,
            min_steps=4,
            max_length=16,
            device="cpu",
        )
        kwargs = {"n_queries": 4, "random_state": 0} | kwargs
        return ActiveLearner(classifier, strategy, **kwargs)

    return make


def test_the_loop_of_the_readme(make, toy_texts):
    X, y = toy_texts
    learner = make(AnchorAL(Entropy(), n_neighbors=5, max_subpool=20))
    ids = np.arange(len(X))
    learner.fit(X[:12], y[:12], ids=ids[:12])
    asked = set(range(12))
    for _ in range(4):
        rows = learner.query(X, ids=ids)
        assert not asked & set(rows.tolist())
        asked |= set(rows.tolist())
        learner.teach([X[i] for i in rows], y[rows], ids=ids[rows])
    assert len(learner.y_labeled_) == len(asked) == 28
    assert learner.predict(X).shape == (80,)
    assert learner.embed(X[:3]).shape == (3, 32)
    assert list(learner.predict_outputs(X[:3], ["proba"])) == ["proba"]


@pytest.mark.parametrize(
    "container",
    [list, tuple, np.array, lambda X: np.array(X, dtype=object), pd.Series],
    ids=["list", "tuple", "str array", "object array", "Series"],
)
def test_containers_of_texts_give_one_answer(make, toy_texts, container):
    X, y = toy_texts
    expected = make(AnchorAL()).fit(X[:20], y[:20]).query(X)
    learner = make(AnchorAL()).fit(container(X[:20]), y[:20])
    rows = learner.query(container(X))
    assert rows.tolist() == expected.tolist()
    learner.teach(container([X[i] for i in rows]), y[rows])
    assert len(learner.y_labeled_) == 24


@pytest.mark.parametrize(
    "strategy",
    [
        RandomSampling(random_state=0),
        Entropy(),
        AnchorAL(Entropy(), n_anchors=2, n_neighbors=4, random_state=0),
        RandSub(AnchorAL(Entropy(), random_state=0), max_subpool=20, random_state=0),
    ],
    ids=repr,
)
def test_strategies_keep_their_promises_on_texts(make, toy_texts, strategy):
    X, y = toy_texts
    estimator = make().estimator.set_params(classes=["neg", "pos"], random_state=0)
    check_query_strategy(strategy, estimator=estimator, X=X, y=y)


def test_each_row_passes_the_model_once_per_query(make, toy_texts, monkeypatch):
    """Of the subpool: one forward pass a row by the classifier, nothing elsewhere."""
    X, y = toy_texts
    strategy = AnchorAL(Entropy(), anchors="entropy", n_neighbors=4, max_subpool=15)
    learner = make(strategy).fit(X[:20], y[:20])
    module = learner.estimator_.net_.module_
    passed = []
    monkeypatch.setattr(
        type(module),
        "forward_outputs",
        _counting(type(module).forward_outputs, passed),
    )
    learner.query(X[20:])
    assert sum(passed) <= 20 + 15, "the labelled rows and the subpool, each once"
    n_subpool = sum(passed) - 20
    assert 4 <= n_subpool <= 15
    passed.clear()
    learner.set_params(strategy=Entropy()).fit(X[:20], y[:20])
    learner.query(X[20:])
    assert sum(passed) == 60


def _counting(forward, passed):
    def count(module, inputs, **kwargs):
        passed.append(len(inputs["input_ids"]))
        return forward(module, inputs, **kwargs)

    return count


def test_the_pool_and_each_label_are_encoded_once(make, toy_texts, monkeypatch):
    X, y = toy_texts
    encoded = []
    transform = SentenceEncoder.transform
    monkeypatch.setattr(
        SentenceEncoder,
        "transform",
        lambda self, X: encoded.append(len(X)) or transform(self, X),
    )
    learner = make(AnchorAL()).fit(X[:12], y[:12])
    for _ in range(3):
        rows = learner.query(X)
        learner.teach([X[i] for i in rows], y[rows])
    assert encoded == [12, 80, 4, 4]  # the labels, the pool once, the new labels


@pytest.mark.parametrize(
    "grid",
    [
        {"strategy__anchoral__n_neighbors": [1, 12]},
        {"strategy__anchoral": ["passthrough", RandSub(max_subpool=6)]},
        {
            "strategy__anchoral": [AnchorAL(n_neighbors=2)],
            "estimator__lr": [1e-4, 5e-3],
        },
    ],
    ids=str,
)
def test_a_search_over_texts_compares_what_candidates_chose(make, toy_texts, grid):
    X, y = toy_texts
    learner = make(make_query_pipeline(AnchorAL(), Entropy()), budget=24, initial=12)
    search = GridSearchCV(learner, grid, cv=2, error_score="raise", refit=False)
    search.fit(X, y)
    picks = set()
    for params in search.cv_results_["params"]:
        candidate = make(
            make_query_pipeline(AnchorAL(), Entropy()), budget=24, initial=12
        )
        candidate.set_params(**params).fit(X, y)
        picks.add(tuple(np.concatenate([e["rows"] for e in candidate.rounds_])))
    assert len(picks) == 2


def test_cross_validation_in_two_processes_equals_one(make, toy_texts):
    X, y = toy_texts
    learner = make(AnchorAL(), budget=20)
    one, two = (
        cross_validate(learner, X, y, cv=2, n_jobs=n_jobs, error_score="raise")
        for n_jobs in (1, 2)
    )
    assert one["test_score"].tolist() == two["test_score"].tolist()


def test_labels_not_bought_decide_nothing(make, toy_texts):
    X, y = toy_texts
    learner = make(AnchorAL(), budget=28).fit(X, y)
    rows = np.concatenate([entry["rows"] for entry in learner.rounds_])
    others = np.setdiff1d(np.arange(80), rows)
    shuffled = y.copy()
    shuffled[others] = shuffled[others][::-1]
    assert not np.array_equal(shuffled, y)
    again = make(AnchorAL(), budget=28).fit(X, shuffled)
    assert np.array_equal(again.predict_proba(X), learner.predict_proba(X))


def test_a_seed_of_one_class_trains_the_whole_head(make, toy_texts):
    X, _ = toy_texts
    learner = make(classes=["neg", "pos"])
    learner.fit(X[:3], ["neg"] * 3)
    proba = learner.predict_proba(X)
    assert proba.shape == (80, 2)
    assert (proba > 0).all()
    assert len(learner.query(X)) == 4


IN_ANOTHER_PROCESS = """
import sys, joblib
learner, X = joblib.load(sys.argv[1])
joblib.dump((learner.predict_proba(X), learner.query(X)), sys.argv[2])
"""


def test_a_dump_lives_without_the_checkpoint(
    make, toy_texts, tmp_path, tiny_checkpoint
):
    import shutil

    X, y = toy_texts
    folder = tmp_path / "checkpoint"
    shutil.copytree(tiny_checkpoint, folder)
    learner = make(AnchorAL(Entropy(), n_neighbors=6))
    learner.set_params(estimator__model=str(folder)).fit(X[:20], y[:20])
    # Dumped before the first query: the pool has not been encoded yet.
    joblib.dump((learner, X), tmp_path / "learner.joblib")
    expected = learner.predict_proba(X), learner.query(X)
    shutil.rmtree(folder)
    files = [str(tmp_path / "learner.joblib"), str(tmp_path / "answers.joblib")]
    subprocess.run([sys.executable, "-c", IN_ANOTHER_PROCESS, *files], check=True)
    proba, rows = joblib.load(files[1])
    assert np.array_equal(proba, expected[0])
    assert rows.tolist() == expected[1].tolist()
    loaded, _ = joblib.load(files[0])
    with pytest.raises(ModelNotFoundError):
        loaded.teach([X[30]], [y[30]])
    assert len(loaded.y_labeled_) == 21
    assert loaded.query(X).tolist() != []


def test_tfidf_and_logistic_regression(toy_texts):
    X, y = toy_texts
    classifier = make_pipeline(TfidfVectorizer(), LogisticRegression())
    encoder = make_pipeline(TfidfVectorizer(), TruncatedSVD(8))
    learner = ActiveLearner(classifier, AnchorAL(encoder=encoder), random_state=0)
    learner.fit(X[:20], y[:20])
    rows = learner.query(X)
    assert rows.tolist() == learner.query(X).tolist()
    assert learner.teach([X[i] for i in rows], y[rows]).score(X, y) > 0.8


def test_tfidf_with_a_seed_of_one_class(toy_texts):
    X, _ = toy_texts
    classifier = make_pipeline(TfidfVectorizer(), LogisticRegression())
    learner = ActiveLearner(classifier, classes=["neg", "pos"])
    with pytest.warns(UserWarning, match="one class"):
        learner.fit(X[:2], ["pos", "pos"])
    assert learner.predict_proba(X[:1]).tolist() == [[0.0, 1.0]]
    assert len(learner.query(X)) == 10


class Tokens:
    """A collate that turns texts and codes into what a BERT and its loss take."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def __call__(self, batch):
        import torch

        texts, codes = zip(*batch, strict=True)
        tokens = self.tokenizer(list(texts), padding=True, return_tensors="pt")
        return dict(tokens), torch.as_tensor(np.array(codes).reshape(-1)).long()


def plain_net(tiny_checkpoint, **kwargs):
    import torch
    from skorch import NeuralNetClassifier

    from skal.neural import load_sequence_classifier

    return NeuralNetClassifier(
        load_sequence_classifier(tiny_checkpoint, 2, pad_token_id=0),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        lr=5e-3,
        max_epochs=4,
        batch_size=8,
        train_split=None,
        verbose=0,
        iterator_train__shuffle=True,
        **kwargs,
    )


def test_a_plain_skorch_net(tiny_checkpoint, tiny_tokenizer, toy_texts):
    X, y = toy_texts
    X, codes = np.array(X, dtype=object), (y == "pos").astype(np.int64)
    collate = Tokens(tiny_tokenizer)
    net = plain_net(
        tiny_checkpoint,
        iterator_train__collate_fn=collate,
        iterator_valid__collate_fn=collate,
    )
    learner = ActiveLearner(net, RandSub(Entropy(), max_subpool=30), random_state=0)
    learner.fit(X[:20], codes[:20])
    rows = learner.query(X[20:]) + 20
    learner.teach(X[rows], codes[rows])
    assert learner.predict_proba(X).shape == (80, 2)
    assert set(learner.predict(X)) <= {0, 1}


def test_a_pipeline_of_tokenizer_and_skorch_net(
    tiny_checkpoint, tiny_tokenizer, toy_texts
):
    from skorch.hf import HuggingfacePretrainedTokenizer

    X, y = toy_texts
    codes = (y == "pos").astype(np.int64)
    tokenizer = HuggingfacePretrainedTokenizer(tiny_tokenizer, max_length=16)
    pipeline = make_pipeline(tokenizer, plain_net(tiny_checkpoint))
    learner = ActiveLearner(pipeline, RandSub(Entropy(), max_subpool=30))
    learner.fit(X[:20], codes[:20])
    rows = learner.query(X)
    learner.teach([X[i] for i in rows], codes[rows])
    assert learner.predict_proba(X).shape == (80, 2)


def test_what_is_no_text_is_refused_before_training(make, toy_texts):
    X, y = toy_texts
    learner = make().fit(X[:20], y[:20])
    before = dict(vars(learner))
    for pool, error, match in [
        ([*X[:3], None], ValueError, "Row 3 is None"),
        (np.array(X, dtype=object)[:, None], ValueError, "one-dimensional"),
        ("one text", TypeError, "single str"),
        ([], ValueError, "empty"),
    ]:
        with pytest.raises(error, match=match):
            learner.query(pool)
        with pytest.raises(error, match=match):
            learner.fit(pool, y[: len(pool)])
    assert vars(learner) == before
