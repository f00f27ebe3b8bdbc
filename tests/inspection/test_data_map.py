# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Data maps: every row at its place, in its group."""

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skal import ActiveLearner
from skal.exceptions import MissingCapabilityError
from skal.inspection import DataMapDisplay
from skal.text import DenseClassifier


@pytest.fixture(scope="module")
def learner(sentences):
    """A learner whose classifier, the last step of a pipeline, records its training."""
    X, y, _, _ = sentences
    vectors = make_pipeline(TfidfVectorizer(), TruncatedSVD(50, random_state=0))
    classifier = make_pipeline(
        vectors,
        DenseClassifier((20,), max_epochs=40, lr=0.003, device="cpu", random_state=0),
    )
    flipped = np.where(np.arange(len(y)) % 25 == 0, 1 - y, y)  # hard to learn
    return ActiveLearner(classifier).fit(X, flipped)


def test_of_a_learner(learner, save):
    display = DataMapDisplay.from_estimator(learner)
    save(display.figure_, "data_map")
    found = learner.estimator_[-1].data_map_
    drawn = np.concatenate([scatter.get_offsets() for scatter in display.scatters_])
    wanted = np.column_stack([found.variability, found.confidence])
    np.testing.assert_allclose(drawn[np.lexsort(drawn.T)], wanted[np.lexsort(wanted.T)])
    assert display.ax_.get_xlabel() == "variability"
    assert display.ax_.get_ylabel() == "confidence"
    texts = {text.get_text() for text in display.ax_.texts}
    assert texts == {"easy to learn", "ambiguous", "hard to learn"}
    legend = display.ax_.get_legend()
    assert legend.get_title().get_text() == "correctness"
    assert len(legend.get_texts()) == len(display.scatters_) > 3


def test_groups_by_correctness():
    correctness = [0, 0.1, 0.25, 0.3, 0.5, 0.75, 0.9, 1, 1]
    n_rows = len(correctness)
    display = DataMapDisplay(
        confidence=np.linspace(0, 1, n_rows),
        variability=np.zeros(n_rows),
        correctness=correctness,
    ).plot()
    counts = {s.get_label(): len(s.get_offsets()) for s in display.scatters_}
    assert counts == {
        "0 (never)": 1,
        "up to 0.25": 2,
        "up to 0.5": 2,
        "up to 0.75": 1,
        "below 1": 1,
        "1 (always)": 2,
    }
    brightness = [s.get_facecolor()[0, :3] @ [0.3, 0.6, 0.1] for s in display.scatters_]
    assert (np.diff(brightness) > 0.05).all()
    shapes = {s.get_paths()[0].vertices.tobytes() for s in display.scatters_}
    assert len(shapes) == 6


def test_a_group_without_rows_is_not_in_the_legend():
    display = DataMapDisplay(confidence=[1], variability=[0], correctness=[1]).plot()
    (text,) = display.ax_.get_legend().get_texts()
    assert text.get_text() == "1 (always)"
    assert display.plot(add_legend=False).ax_.get_legend() is None


def test_of_dynamics():
    display = DataMapDisplay.from_dynamics([[0.2, 0.9], [0.6, 0.9]], [[0, 1], [1, 1]])
    np.testing.assert_allclose(display.confidence, [0.4, 0.9])
    np.testing.assert_allclose(display.variability, [0.2, 0])
    np.testing.assert_allclose(display.correctness, [0.5, 1])


def test_what_is_refused():
    with pytest.raises(
        ValueError, match=r"one number per row. Got shapes \(1,\), \(2,"
    ):
        DataMapDisplay(confidence=[1], variability=[0, 0], correctness=[1]).plot()
    with pytest.raises(ValueError, match="from 0 to 1. Got 3.0 to 3.0; divide"):
        DataMapDisplay(confidence=[1], variability=[0], correctness=[3]).plot()
    with pytest.raises(MissingCapabilityError, match="LogisticRegression has none"):
        DataMapDisplay.from_estimator(LogisticRegression().fit([[0], [1]], [0, 1]))
    with pytest.raises(NotFittedError, match="Fit it first"):
        DataMapDisplay.from_estimator(DenseClassifier())
    with pytest.raises(NotFittedError):
        DataMapDisplay.from_estimator(ActiveLearner(DenseClassifier()))
