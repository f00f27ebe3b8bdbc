# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The recorder as a scikit-learn estimator, and inside a learner."""

import pickle
import signal
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.utils import estimator_checks, get_tags
from skorch.callbacks import Callback

from skal import ActiveLearner, Committee, TransformerClassifier, simulate
from skal.base import PoolView, Reads
from skal.exceptions import (
    MissingCapabilityError,
    NotQueryableError,
    SingleClassWarning,
)
from skal.filters import AnchorAL, RandSub
from skal.functional import data_map, forgetting_events
from skal.strategies import ALPS, Entropy, ForgettingEvents, LabelDispersion, ViaProxy
from skal.text import DenseClassifier, PoolRecorder

DATA_FREE_CHECKS = [
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
]
RNG = np.random.RandomState(0)
VECTORS = RNG.normal(size=(160, 4)).astype(np.float32)
LABELS = np.where(VECTORS[:, 0] + 0.5 * RNG.normal(size=160) > 0, "p", "n")


def dense(**params):
    quick = {"hidden_layer_sizes": (8,), "lr": 0.02, "max_epochs": 4}
    quick |= {"batch_size": 16, "device": "cpu", "random_state": 0}
    return DenseClassifier(**(quick | params))


@pytest.fixture(scope="module")
def of_texts(make_classifier, toy_texts):
    """Fitted on 30 of the toy texts. Careful: do not fit it again."""
    X, y = toy_texts
    return PoolRecorder(make_classifier()).fit(X[:30], y[:30], X_unlabeled=X[30:])


# What the classifier inside says.


def test_what_the_classifier_says_passes_through(of_texts, toy_texts):
    X, _ = toy_texts
    inner = of_texts.estimator_
    for method in ("predict", "predict_proba", "embed", "sample_proba"):
        got, expected = (getattr(clf, method)(X) for clf in (of_texts, inner))
        assert np.array_equal(got, expected)
    assert of_texts.sample_proba(X[:2], 3).shape == (3, 2, 2)
    outputs = of_texts.predict_outputs(X[:5], ["logits", "samples"], n_samples=2)
    assert outputs["samples"].shape == (2, 5, 2)
    logits = inner.predict_outputs(X[:5], ["logits"])["logits"]
    assert np.array_equal(outputs["logits"], logits)
    assert of_texts.score(X, toy_texts[1]) == inner.score(X, toy_texts[1])
    for name in ("classes_", "net_", "tokenizer_", "history_", "training_dynamics_"):
        assert getattr(of_texts, name) is getattr(inner, name)
    assert (of_texts.n_epochs_, of_texts.n_steps_) == (4, 16)


def test_what_the_checkpoint_says_needs_no_fit(toy_texts):
    recorder = PoolRecorder(TransformerClassifier("skal-tiny", device="cpu"))
    assert recorder.pretrained_encoder().model == "skal-tiny"
    surprisal = recorder.token_surprisal(toy_texts[0][:3], random_state=0)
    expected = recorder.estimator.token_surprisal(toy_texts[0][:3], random_state=0)
    assert np.array_equal(surprisal, expected)
    assert len(recorder.keep_tokens(toy_texts[0])) == 80
    for method in (recorder.predict, recorder.embed, recorder.sample_proba):
        with pytest.raises(NotFittedError, match="PoolRecorder"):
            method(toy_texts[0])


def test_a_classifier_of_vectors_has_no_tokens():
    recorder = PoolRecorder(dense())
    for method in ("keep_tokens", "pretrained_encoder", "token_surprisal"):
        assert not hasattr(recorder, method)
    assert hasattr(recorder, "embed")


def test_data_maps_and_forgetting_events_of_all_classifiers(of_texts, fitted):
    of_vectors = dense().fit(VECTORS, LABELS)
    for clf in (of_texts, of_texts.estimator_, fitted, of_vectors):
        dynamics = clf.training_dynamics_
        expected = data_map(dynamics.gold_proba, dynamics.correct)
        names = ("confidence", "variability", "correctness")
        assert list(clf.data_map_) == list(names)
        for name, values in zip(names, expected, strict=True):
            assert np.array_equal(clf.data_map_[name], values)
        events = forgetting_events(dynamics.correct)
        assert np.array_equal(clf.forgetting_events_, events)


@pytest.mark.parametrize(
    "clf", [dense(), TransformerClassifier(), PoolRecorder(dense())], ids=repr
)
@pytest.mark.parametrize("name", ["data_map_", "forgetting_events_"])
def test_before_the_fit_there_is_no_data_map(clf, name):
    with pytest.raises(NotFittedError, match="has recorded no training yet"):
        getattr(clf, name)
    with pytest.raises(AttributeError):
        getattr(clf, name)
    assert not hasattr(clf, name)
    assert hasattr(clf, "training_dynamics_")


# An estimator of scikit-learn's.


@pytest.mark.parametrize("check", DATA_FREE_CHECKS)
def test_scikit_learn_checks_that_need_no_data(check):
    recorder = PoolRecorder(TransformerClassifier())
    getattr(estimator_checks, check)("PoolRecorder", recorder)


def test_tags_are_those_of_the_classifier():
    assert get_tags(PoolRecorder(TransformerClassifier())).input_tags.string
    assert not get_tags(PoolRecorder(dense())).input_tags.string
    assert get_tags(PoolRecorder(dense())).input_tags.two_d_array


def test_parameters_are_nested_and_clone_forgets_the_fit(of_texts):
    params = of_texts.get_params()
    assert params["estimator__lr"] == 5e-3
    copy = clone(of_texts).set_params(estimator__lr=1e-3, every=2)
    assert (copy.estimator.lr, of_texts.estimator.lr) == (1e-3, 5e-3)
    assert copy.estimator is not of_texts.estimator
    assert not [name for name in vars(copy) if name.endswith("_") or name[0] == "_"]


def test_the_estimator_given_is_not_changed(make_classifier, toy_texts):
    given = make_classifier(max_epochs=1)
    X, y = toy_texts
    before = given.get_params()
    PoolRecorder(given, classes=["neg", "pos", "so so"]).fit(X[:9], y[:9], X[9:])
    assert given.get_params() == before
    assert not [name for name in vars(given) if name.endswith("_")]


def test_a_fitted_estimator_may_be_given():
    """Its width is not that of the rows to come."""
    given = dense().fit(VECTORS[:, :2], LABELS)
    recorder = PoolRecorder(given).fit(VECTORS[:30], LABELS[:30], VECTORS[30:])
    assert recorder.epoch_predictions(VECTORS[30:]).shape == (4, 130)
    assert given.n_features_in_ == 2


def test_classes_that_the_labelled_rows_lack():
    for recorder in (
        PoolRecorder(dense(), classes=["p", "n", "o"]),
        PoolRecorder(dense(classes=["n", "o", "p"])),
        PoolRecorder(dense(classes=["n", "o", "p"]), classes=["o", "p", "n"]),
    ):
        recorder.fit(VECTORS[:30], LABELS[:30], VECTORS[30:])
        assert recorder.classes_.tolist() == ["n", "o", "p"]
        assert recorder.predict_proba(VECTORS).shape == (160, 3)
    with pytest.raises(ValueError, match="Every label must be one of"):
        PoolRecorder(dense(), classes=["p", "o"]).fit(VECTORS, LABELS)


def test_pickle_and_joblib_keep_the_record(of_texts, toy_texts, tmp_path):
    X = toy_texts[0]
    joblib.dump(of_texts, tmp_path / "recorder")
    for loaded in (
        pickle.loads(pickle.dumps(of_texts)),
        joblib.load(tmp_path / "recorder"),
    ):
        codes = loaded.epoch_predictions(X)
        assert np.array_equal(codes, of_texts.epoch_predictions(X))
        assert np.array_equal(loaded.predict_proba(X), of_texts.predict_proba(X))


def test_a_pickle_does_not_hold_the_pool(of_texts):
    size = len(pickle.dumps(of_texts)) - len(pickle.dumps(of_texts.estimator_))
    # 50 rows of 16 + 4 bytes, the parameters once more and what pickle says of it.
    assert size < 50 * 20 + 3000
    assert b"good" not in of_texts._digests.tobytes()


@pytest.mark.slow
def test_another_process_finds_the_record(of_texts, toy_texts, tmp_path):
    joblib.dump(of_texts, tmp_path / "recorder.joblib")
    code = textwrap.dedent(f"""
        import joblib, numpy as np
        recorder = joblib.load({str(tmp_path / "recorder.joblib")!r})
        codes = recorder.epoch_predictions({toy_texts[0]!r})
        np.save({str(tmp_path / "codes.npy")!r}, codes)
    """)
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    codes = of_texts.epoch_predictions(toy_texts[0])
    assert np.array_equal(np.load(tmp_path / "codes.npy"), codes)


def test_it_is_searched_and_cross_validated():
    grid = {"every": [1, 2], "estimator__lr": [1e-6, 0.02]}
    search = GridSearchCV(PoolRecorder(dense()), grid, cv=2, error_score="raise")
    assert search.fit(VECTORS, LABELS).best_params_["estimator__lr"] == 0.02
    alone, recorded = (
        cross_validate(clf, VECTORS, LABELS, cv=3, error_score="raise")["test_score"]
        for clf in (dense(), PoolRecorder(dense()))
    )
    assert np.array_equal(alone, recorded)


@pytest.mark.slow
def test_cross_validation_in_parallel_equals_serial():
    one, two = (
        cross_validate(
            PoolRecorder(dense(max_epochs=2), max_rows=20, random_state=0),
            VECTORS,
            LABELS,
            cv=2,
            n_jobs=n_jobs,
            return_estimator=True,
        )["estimator"]
        for n_jobs in (1, 2)
    )
    for a, b in zip(one, two, strict=True):
        assert np.array_equal(a.predict_proba(VECTORS), b.predict_proba(VECTORS))


@pytest.mark.parametrize("routing", [False, True])
def test_metadata_routing_may_be_on(routing):
    with config_context(enable_metadata_routing=routing):
        recorder = PoolRecorder(dense()).fit(VECTORS[:30], LABELS[:30], VECTORS[30:])
        learner = ActiveLearner(PoolRecorder(dense()), LabelDispersion(), budget=30)
        learner.fit(VECTORS, LABELS)
    assert recorder.epoch_predictions(VECTORS[30:]).shape == (4, 130)
    assert learner.n_rounds_ == 2


class _Fails(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise RuntimeError("no")


class _CtrlC(Callback):
    def on_batch_end(self, net, **kwargs):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("callback", "error"), [(_Fails, RuntimeError), (_CtrlC, KeyboardInterrupt)]
)
def test_a_fit_that_fails_or_is_interrupted_leaves_the_recorder(callback, error):
    recorder = PoolRecorder(dense()).fit(VECTORS[:30], LABELS[:30], VECTORS[30:])
    codes = recorder.epoch_predictions(VECTORS)
    recorder.set_params(estimator__callbacks=[callback()])
    before = dict(vars(recorder))
    with pytest.raises(error):
        recorder.fit(VECTORS[:20, :2], LABELS[:20], VECTORS[20:, :2])
    assert all(value is before[key] for key, value in vars(recorder).items())
    assert np.array_equal(recorder.epoch_predictions(VECTORS), codes)


def test_ctrl_c_while_it_looks_at_the_pool(monkeypatch):
    from skal.neural import RecordPredictions

    end_epoch = RecordPredictions.end_epoch

    def interrupted(self, net):
        end_epoch(self, net)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(RecordPredictions, "end_epoch", interrupted)
    recorder = PoolRecorder(dense())
    with pytest.raises(KeyboardInterrupt):
        recorder.fit(VECTORS[:30], LABELS[:30], VECTORS[30:])
    assert not [name for name in vars(recorder) if name.endswith("_")]


# Inside a learner.


def bought(learner):
    return np.concatenate([entry["rows"] for entry in learner.rounds_])


def test_a_budget_is_spent_by_label_dispersion(toy_texts):
    X, y = toy_texts
    classifier = TransformerClassifier(
        "skal-tiny", lr=1e-3, max_epochs=3, min_steps=0, max_length=16, device="cpu"
    )
    learner = ActiveLearner(
        PoolRecorder(classifier),
        LabelDispersion(),
        n_queries=8,
        budget=28,
        initial=12,
        keep_estimators=True,
        random_state=0,
    ).fit(X, y)
    rows = bought(learner)
    assert len(set(rows.tolist())) == len(rows) == 28
    first = learner.estimators_[0]
    left = np.setdiff1d(np.arange(80), learner.rounds_[0]["rows"])
    codes = first.epoch_predictions([X[row] for row in left])
    assert (codes >= 0).all()
    changes = (codes != codes[0]).any(axis=0)
    picked = np.isin(left, learner.rounds_[1]["rows"])
    assert changes[picked].sum() == min(8, changes.sum()) > 0


def test_teach_with_and_without_the_pool():
    learner = ActiveLearner(
        PoolRecorder(dense()), LabelDispersion(), n_queries=5, random_state=0
    )
    learner.fit(VECTORS[:20], LABELS[:20])
    with pytest.raises(NotFittedError, match="X_pool=pool"):
        learner.query(VECTORS)
    learner.fit(VECTORS[:20], LABELS[:20], ids=range(20), X_pool=VECTORS)
    rows = learner.query(VECTORS, ids=range(160))
    assert min(rows) >= 20
    learner.teach(VECTORS[rows], LABELS[rows], ids=rows, X_pool=VECTORS)
    again = learner.query(VECTORS, ids=range(160))
    assert not set(again) & set(rows)
    learner.teach(VECTORS[again], LABELS[again], ids=again)
    with pytest.raises(NotFittedError, match="X_pool=pool"):
        learner.query(VECTORS, ids=range(160))


def test_a_pool_of_which_nothing_is_left_is_not_offered():
    learner = ActiveLearner(
        PoolRecorder(dense()), LabelDispersion(), n_queries=20, budget=160
    ).fit(VECTORS, LABELS)
    assert len(bought(learner)) == 160
    assert learner.estimator_.recorded_epochs_.tolist() == []
    learner.teach(VECTORS[:1], LABELS[:1], X_pool=VECTORS[:0])
    table = simulate(
        ActiveLearner(PoolRecorder(dense()), LabelDispersion()),
        {"d": (VECTORS[:30], LABELS[:30], VECTORS[30:], LABELS[30:])},
        n_rounds=2,
        n_queries=10,
        initial=10,
        seeds=1,
    )
    assert table.n_labeled.tolist() == [10, 20, 30]


@pytest.mark.parametrize(
    "around", [AnchorAL(n_neighbors=5), RandSub(max_subpool=30)], ids=repr
)
@pytest.mark.parametrize("strategy", [LabelDispersion(), ForgettingEvents()], ids=repr)
def test_inside_filters(around, strategy):
    learner = ActiveLearner(
        PoolRecorder(dense()),
        clone(around).set_params(strategy=strategy),
        budget=50,
        random_state=0,
    ).fit(VECTORS, LABELS)
    assert len(set(bought(learner).tolist())) == 50
    assert all(entry["n_subpool"] < 160 for entry in learner.rounds_[1:])


def test_as_a_proxy():
    proxy = PoolRecorder(dense(), every=2)
    strategy = ViaProxy(LabelDispersion(), proxy)
    learner = ActiveLearner(LogisticRegression(), strategy, budget=40, random_state=0)
    assert len(set(bought(learner.fit(VECTORS, LABELS)).tolist())) == 40


def test_a_seed_of_one_class():
    learner = ActiveLearner(PoolRecorder(dense()), LabelDispersion(), random_state=0)
    with pytest.warns(SingleClassWarning):
        learner.fit(VECTORS[:10], ["n"] * 10, X_pool=VECTORS)
    assert learner.query(VECTORS, 3).tolist() == [0, 1, 2]
    told = ActiveLearner(
        PoolRecorder(dense()), LabelDispersion(), classes=["n", "p"], random_state=0
    ).fit(VECTORS[:10], ["n"] * 10, X_pool=VECTORS)
    assert told.estimator_.classes_.tolist() == ["n", "p"]
    assert len(told.query(VECTORS, 3)) == 3


@pytest.mark.parametrize("wrapper", [PoolRecorder, Committee])
def test_classes_given_to_the_classifier_inside(wrapper):
    recorder = wrapper(dense(classes=["n", "o", "p"]))
    learner = ActiveLearner(recorder, Entropy(), random_state=0)
    learner.fit(VECTORS[:20], LABELS[:20], X_pool=VECTORS)
    assert learner.classes_.tolist() == ["n", "o", "p"]
    assert learner.predict_proba(VECTORS).shape == (160, 3)
    assert len(learner.query(VECTORS, 3)) == 3


def test_members_are_seeded_by_the_learner():
    def run():
        recorder = PoolRecorder(dense(random_state=None), max_rows=50)
        learner = ActiveLearner(recorder, LabelDispersion(), budget=40, random_state=3)
        return learner.fit(VECTORS, LABELS)

    first, second = run(), run()
    assert bought(first).tolist() == bought(second).tolist()
    codes = [run.estimator_.epoch_predictions(VECTORS) for run in (first, second)]
    assert np.array_equal(*codes)


def test_cold_start_and_tokens_through_the_recorder(toy_texts):
    X, _ = toy_texts
    recorder = PoolRecorder(TransformerClassifier("skal-tiny", device="cpu"))
    learner = ActiveLearner(recorder, ALPS(random_state=0), random_state=0)
    assert len(set(learner.query(X, 4).tolist())) == 4


def test_who_does_not_record_is_refused_before_any_work():
    class Unfittable(DenseClassifier):
        def fit(self, X, y):
            raise AssertionError("too late")

    for strategy in (LabelDispersion(), RandSub(AnchorAL(LabelDispersion()))):
        learner = ActiveLearner(Unfittable(), strategy)
        with pytest.raises(MissingCapabilityError, match="PoolRecorder"):
            learner.fit(VECTORS, LABELS)
        with pytest.raises(NotQueryableError):
            ActiveLearner(PoolRecorder(dense()), strategy).query(VECTORS)


# Through the view.


def test_the_view_reads_the_pool_only():
    assert Reads(pool=frozenset({"epoch_predictions"}))
    with pytest.raises(ValueError, match="Got \\['epoch_predictions'\\]"):
        Reads(labeled=frozenset({"epoch_predictions"}))


def test_the_view_finds_each_part_of_the_pool():
    recorder = PoolRecorder(dense()).fit(VECTORS[:30], LABELS[:30], VECTORS[30:])
    view = PoolView(VECTORS, estimator=recorder, classes=recorder.classes_)
    expected = recorder.epoch_predictions(VECTORS)
    assert np.array_equal(view.epoch_predictions, expected)
    assert view.epoch_predictions is view.epoch_predictions
    part = view.take([3, 40, 50]).take([1, 2])
    assert np.array_equal(part.epoch_predictions, expected[:, [40, 50]])
    cold = PoolView(VECTORS, classes=recorder.classes_)
    with pytest.raises(NotQueryableError, match="epoch_predictions"):
        _ = cold.epoch_predictions


def test_the_view_speaks_of_its_own_vocabulary():
    recorder = PoolRecorder(dense()).fit(VECTORS[:30], LABELS[:30], VECTORS[30:])
    wider = np.array(["a", "n", "o", "p"])
    view = PoolView(VECTORS, estimator=recorder, classes=wider)
    codes = recorder.epoch_predictions(VECTORS)
    expected = np.array([1, 3, -1])[codes]
    assert np.array_equal(view.epoch_predictions, expected)
    narrow = PoolView(VECTORS, estimator=recorder, classes=np.array(["n"]))
    with pytest.raises(ValueError, match="Set `classes` of the learner"):
        _ = narrow.epoch_predictions
