# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The pool in the plane: errors, picks and classes where they belong."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from sklearn.base import clone
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.linear_model import LogisticRegression

from skal import ActiveLearner
from skal.datasets import load_docstrings
from skal.exceptions import MissingCapabilityError
from skal.inspection import SelectionDisplay
from skal.strategies import Entropy, RandomSampling


@pytest.fixture(scope="module")
def packages():
    """Sentences about three packages, and which package each is about."""
    names = np.array(["joblib", "numpy", "skorch"])
    X, y = load_docstrings(names, return_X_y=True, max_per_package=80, random_state=0)
    return X, names[y]


def test_a_pool_by_t_sne(packages, pipeline, save):
    X, y = packages
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for strategy, ax in zip([Entropy(), RandomSampling()], axes, strict=True):
        learner = ActiveLearner(pipeline, strategy, random_state=0)
        learner.fit(X[:120], y[:120])
        rows = learner.query(X[120:], n_queries=20)
        display = SelectionDisplay.from_estimator(
            learner, X[120:], rows, y[120:], random_state=0, ax=ax
        )
        ax.set_title(type(strategy).__name__)
    save(figure, "selection")
    X, y = X[120:], y[120:]
    predicted = learner.predict(X)
    wrong = predicted != y
    np.testing.assert_array_equal(display.y_pred, predicted)
    np.testing.assert_array_equal(display.rows, rows)
    np.testing.assert_array_equal(display.picks_.get_offsets(), display.points[rows])
    np.testing.assert_array_equal(display.errors_.get_offsets(), display.points[wrong])
    for scatter in display.pool_:
        mine = display.points[predicted == scatter.get_label()]
        np.testing.assert_array_equal(scatter.get_offsets(), mine)
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert set(texts[:3]) == set(y)
    assert texts[3:] == [
        f"errors: {wrong.mean():.0%} of all",
        f"picked: 20, {wrong[rows].mean():.0%} errors",
    ]
    assert display.ax_.get_xlabel() == "t-SNE 1"


def test_the_same_seed_gives_the_same_picture():
    X = np.random.RandomState(0).normal(size=(60, 60))
    classifier = LogisticRegression().fit(X, np.arange(60) % 2)

    def points(seed):
        display = SelectionDisplay.from_estimator(
            classifier, X, [0], max_points=30, random_state=seed
        )
        return display.points

    np.testing.assert_array_equal(points(0), points(0))
    assert not np.array_equal(points(0), points(1))


def test_sparse_rows_and_a_projection_of_ones_own(sentences, pipeline):
    X, y, _, _ = sentences
    classifier = clone(pipeline).fit(X, y)
    projection = TruncatedSVD(2, algorithm="arpack")
    display = SelectionDisplay.from_estimator(
        classifier, X, [5, 2], y, projection=projection, random_state=0
    )
    vectors = classifier[0].transform(X)
    projected = clone(projection).set_params(random_state=0).fit_transform(vectors)
    np.testing.assert_allclose(np.abs(display.points), np.abs(projected), atol=1e-6)
    assert display.ax_.get_ylabel() == "TruncatedSVD 2"
    assert not hasattr(projection, "components_")
    assert projection.random_state is None


def test_a_large_pool_is_thinned_but_the_picks_stay():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(500, 2))
    y = (X[:, 0] + rng.normal(size=500) > 0).astype(int)
    classifier = LogisticRegression().fit(X, y)
    rows = np.array([499, 3, 250])
    display = SelectionDisplay.from_estimator(
        classifier, X, rows, y, max_points=50, random_state=0
    )
    assert len(display.points) == 50
    np.testing.assert_array_equal(
        display.points[display.rows], X[rows].astype(np.float32)
    )
    np.testing.assert_array_equal(display.y_true[display.rows], y[rows])
    everything = SelectionDisplay.from_estimator(classifier, X, rows)
    np.testing.assert_allclose(
        everything.points, X, rtol=1e-6
    )  # two dimensions as they are
    assert everything.errors_ is None
    assert everything.ax_.get_legend().get_texts()[-1].get_text() == "picked: 3"


def test_regions_are_those_of_the_predictions():
    rng = np.random.RandomState(0)
    points = rng.uniform(-1, 1, size=(400, 2))
    predicted = np.where(points[:, 0] > 0, "right", "left")
    display = SelectionDisplay(points=points, y_pred=predicted, rows=[0]).plot()
    colors = {s.get_label(): to_hex(s.get_facecolor()[0]) for s in display.pool_}
    shown = display.surface_.to_rgba(display.surface_.get_array()).reshape(150, 150, 4)
    assert to_hex(shown[75, 20]) == colors["left"]
    assert to_hex(shown[75, 130]) == colors["right"]
    assert display.plot(regions=False).surface_ is None


def test_more_classes_than_colours():
    y_pred = np.repeat(np.arange(10), np.arange(20, 10, -1))
    points = np.random.RandomState(0).normal(size=(len(y_pred), 2))
    display = SelectionDisplay(points=points, y_pred=y_pred, rows=[0]).plot()
    labels = [scatter.get_label() for scatter in display.pool_]
    assert labels == ["0", "1", "2", "3", "4", "5", "4 others"]
    assert len({to_hex(s.get_facecolor()[0]) for s in display.pool_}) == 7
    assert len(display.pool_[-1].get_offsets()) == (y_pred >= 6).sum()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"rows": [9]}, "from 0 to 4. Got 9"),
        ({"rows": []}, "at least one"),
        ({"rows": [1, 1]}, "must not repeat"),
        ({"y_pred": [0, 1]}, "y_pred must hold one entry per row"),
        ({"y_true": [0, 1]}, "y_true must hold one entry per row"),
        ({"y_true": list("ababa")}, "labels as y_true does"),
        ({"points": np.zeros((5, 3))}, r"shape \(n_rows, 2\)"),
        ({"points": np.full((5, 2), np.nan)}, "finite"),
    ],
)
def test_what_is_refused(change, match):
    good = {"points": np.zeros((5, 2)), "y_pred": [0, 1, 0, 1, 0], "rows": [0]}
    with pytest.raises(ValueError, match=match):
        SelectionDisplay(**good | change).plot()


def test_what_from_estimator_refuses():
    X, y = np.random.RandomState(0).normal(size=(30, 5)), np.arange(30) % 2
    classifier = LogisticRegression().fit(X, y)
    with pytest.raises(ValueError, match=f"from 0 to {len(X) - 1}. Got {len(X)}"):
        SelectionDisplay.from_estimator(classifier, X, [len(X)])
    with pytest.raises(ValueError, match="y must hold one entry per row"):
        SelectionDisplay.from_estimator(classifier, X, [0], y[:5])
    with pytest.raises(ValueError, match="'max_points' parameter"):
        SelectionDisplay.from_estimator(classifier, X, [0], max_points=0)
    with pytest.raises(ValueError, match=r"shape \(n_rows, 2\)"):
        SelectionDisplay.from_estimator(classifier, X, [0], projection=PCA(3))


class OfTexts(LogisticRegression):
    """A classifier that reads texts and says nothing of how."""

    def fit(self, X, y):
        return super().fit([[len(text)] for text in X], y)

    def predict(self, X):
        return super().predict([[len(text)] for text in X])


def test_a_classifier_without_vectors():
    classifier = OfTexts().fit(["a", "bb", "ccc"], [0, 1, 1])
    with pytest.raises(MissingCapabilityError, match="OfTexts reads texts and has no"):
        SelectionDisplay.from_estimator(classifier, ["a", "bb", "ccc"], [0])
