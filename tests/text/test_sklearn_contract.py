# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What scikit-learn, joblib and numpydoc expect of an estimator of texts."""

import inspect
import pickle
import shutil
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpydoc.docscrape import ClassDoc
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.utils import estimator_checks, get_tags

from skal import neural
from skal.text import (
    DiverseEnsemble,
    LossPredictingClassifier,
    SentenceEncoder,
    SnapshotEnsemble,
    TransformerClassifier,
)

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
CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "object array": lambda X: np.array(X, dtype=object),
    "str array": np.array,
    "pandas": lambda X: pd.Series(X, index=np.arange(len(X))[::-1]),
    "pandas object": lambda X: pd.Series(X, dtype=object, index=[0] * len(X)),
    "polars": pl.Series,
    "pyarrow": pa.array,
    "chunked": lambda X: pa.chunked_array([X[:3], X[3:]]),
}


@pytest.mark.parametrize("check", DATA_FREE_CHECKS)
@pytest.mark.parametrize("cls", [TransformerClassifier, SentenceEncoder])
def test_scikit_learn_checks_that_need_no_data(cls, check):
    getattr(estimator_checks, check)(cls.__name__, cls())


@pytest.mark.parametrize("cls", [TransformerClassifier, SentenceEncoder])
def test_tags_say_one_dimensional_texts(cls):
    tags = get_tags(cls())
    assert tags.input_tags.string
    assert tags.input_tags.one_d_array
    assert not tags.input_tags.two_d_array
    assert not tags.non_deterministic


@pytest.mark.parametrize("check", DATA_FREE_CHECKS)
@pytest.mark.parametrize(
    "cls", [SnapshotEnsemble, DiverseEnsemble, LossPredictingClassifier]
)
def test_scikit_learn_checks_of_wrappers_that_need_no_data(cls, check):
    wrapper = cls(TransformerClassifier())
    getattr(estimator_checks, check)(cls.__name__, wrapper)
    assert get_tags(wrapper).input_tags.string


def test_fitted_attributes_are_documented(fitted, tiny_checkpoint):
    for estimator in (fitted, SentenceEncoder(tiny_checkpoint).fit()):
        documented = {entry.name for entry in ClassDoc(type(estimator))["Attributes"]}
        found = {name for name in vars(estimator) if name.endswith("_")}
        found |= {
            name
            for name, value in inspect.getmembers(type(estimator))
            if isinstance(value, property) and name.endswith("_") and name[0] != "_"
        }
        assert found == documented


def test_parameters_are_documented_in_order():
    for cls in (TransformerClassifier, SentenceEncoder):
        documented = [entry.name for entry in ClassDoc(cls)["Parameters"]]
        assert sorted(documented) == sorted(cls().get_params())
        assert set(cls._parameter_constraints) == set(documented)


@pytest.mark.parametrize("kind", CONTAINERS)
def test_any_container_of_texts(fitted, make_classifier, toy_texts, kind):
    X, y = toy_texts
    held = CONTAINERS[kind](X)
    np.testing.assert_array_equal(fitted.predict_proba(held), fitted.predict_proba(X))
    again = make_classifier(max_epochs=1)
    labels = CONTAINERS[kind](y.tolist()) if "pandas" in kind else y
    proba = again.fit(held, labels).predict_proba(X)
    expected = make_classifier(max_epochs=1).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(proba, expected)


def test_clone_forgets_the_fit(fitted):
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not [name for name in vars(copy) if name.endswith("_")]


def test_grid_search_over_the_learning_rate(make_classifier, toy_texts):
    X, y = toy_texts
    search = GridSearchCV(
        make_classifier(), {"lr": [1e-6, 5e-3]}, cv=2, error_score="raise"
    )
    assert search.fit(X, y).best_params_ == {"lr": 5e-3}
    assert search.score(X, y) > 0.8


@pytest.mark.slow
def test_cross_validation_in_parallel_equals_serial(make_classifier, toy_texts):
    import torch

    X, y = toy_texts
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # loky gives its workers one thread
    try:
        scores = [
            cross_validate(
                make_classifier(max_epochs=2),
                X,
                y,
                cv=2,
                scoring="neg_log_loss",
                n_jobs=n_jobs,
                error_score="raise",
            )["test_score"]
            for n_jobs in (1, 2)
        ]
    finally:
        torch.set_num_threads(n_threads)
    np.testing.assert_array_equal(*scores)


def test_metadata_routing_may_be_on(make_classifier, toy_texts):
    with config_context(enable_metadata_routing=True):
        clf = make_classifier(max_epochs=1).fit(*toy_texts)
    assert clf.n_steps_ == 10


def test_pickle_and_joblib_keep_the_predictions(fitted, toy_texts, tmp_path):
    proba = fitted.predict_proba(toy_texts[0])
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(loaded.predict_proba(toy_texts[0]), proba)
    joblib.dump(fitted, tmp_path / "clf.joblib")
    loaded = joblib.load(tmp_path / "clf.joblib")
    np.testing.assert_array_equal(loaded.predict_proba(toy_texts[0]), proba)
    np.testing.assert_array_equal(loaded.embed(["good"]), fitted.embed(["good"]))


@pytest.mark.slow
def test_another_process_predicts_without_the_checkpoint(
    make_classifier, tiny_checkpoint, toy_texts, tmp_path
):
    folder = tmp_path / "checkpoint"
    shutil.copytree(tiny_checkpoint, folder)
    clf = make_classifier(max_epochs=1, device="auto").set_params(model=folder)
    clf.fit(*toy_texts)
    joblib.dump(clf, tmp_path / "clf.joblib")
    shutil.rmtree(folder)
    code = textwrap.dedent(f"""
        import joblib, numpy as np
        clf = joblib.load({str(tmp_path / "clf.joblib")!r})
        np.save({str(tmp_path / "proba.npy")!r}, clf.predict_proba({toy_texts[0]!r}))
    """)
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    proba = clf.predict_proba(toy_texts[0])
    np.testing.assert_allclose(np.load(tmp_path / "proba.npy"), proba, atol=1e-6)


def test_a_model_of_an_absent_device_predicts_on_the_cpu(fitted, toy_texts):
    loaded = pickle.loads(pickle.dumps(fitted)).set_params(device="cuda:99")
    np.testing.assert_array_equal(
        loaded.predict_proba(toy_texts[0]), fitted.predict_proba(toy_texts[0])
    )


def test_importing_the_classes_does_not_import_torch():
    code = (
        "import sys; from skal.text import SentenceEncoder, TransformerClassifier; "
        "TransformerClassifier(); SentenceEncoder(); "
        "heavy = {'torch', 'transformers', 'skorch', 'tokenizers'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_weights_lie_as_those_of_a_pickle_do(tiny_checkpoint):
    """Some processors round by the alignment; those of a file are anywhere."""
    module = neural.load_sequence_classifier(tiny_checkpoint, 2)
    assert not any(weights.data_ptr() % 64 for weights in module.parameters())
