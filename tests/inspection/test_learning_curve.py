# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Learning curves: the right numbers in the picture, and clear refusals."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from sklearn.linear_model import LogisticRegression

from skal import ActiveLearner, simulate
from skal.inspection import LearningCurveDisplay
from skal.metrics import learning_curves

TIMES = ["encode_time", "filter_time", "look_time", "select_time", "fit_time"]


def test_by_labels(table, save):
    display = LearningCurveDisplay.from_simulation(table, "f1")
    save(display.figure_, "learning_curve_labels")
    curves = learning_curves(table, "f1")
    assert [line.get_label() for line in display.lines_] == list(curves)
    for line, runs in zip(display.lines_, curves.values(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), 18 + 10 * np.arange(7))
        np.testing.assert_allclose(line.get_ydata(), runs.mean(axis=0))
    assert display.ax_.get_xlabel() == "labels bought"
    assert display.ax_.get_ylabel() == "f1"
    legend = display.ax_.get_legend()
    assert legend.get_title().get_text() == "mean of 3 seeds\nband: 95 % confidence"
    assert [text.get_text() for text in legend.get_texts()] == list(curves)
    colors = {to_hex(line.get_color()) for line in display.lines_}
    styles = {line.get_linestyle() for line in display.lines_}
    markers = {line.get_marker() for line in display.lines_}
    assert len(colors) == len(styles) == len(markers) == 3  # told apart without colour
    assert display.ax_ is plt.gcf().axes[0]
    assert display.figure_ is plt.gcf()


def test_by_seconds(table, save):
    display = LearningCurveDisplay.from_simulation(table, "f1", x="seconds")
    save(display.figure_, "learning_curve_seconds")
    frame = pd.DataFrame(table)
    frame["waited"] = frame[TIMES].sum(axis=1)
    frame["waited"] = frame.groupby(["learner", "seed"])["waited"].cumsum()
    waited = frame.groupby(["learner", "round"])["waited"].mean()
    for line in display.lines_:
        np.testing.assert_allclose(line.get_xdata(), waited[line.get_label()])
    assert display.ax_.get_xlabel() == "seconds waited"


def test_the_bands():
    runs = np.array([[0.5, 0.6], [0.5, 0.7], [0.5, 0.8]])
    labels = np.array([[10, 20]] * 3)
    display = LearningCurveDisplay(scores={"a": runs}, n_labeled={"a": labels})

    def last(**params):
        (band,) = display.plot(**params).bands_
        vertices = band.get_paths()[0].vertices
        ys = vertices[vertices[:, 0] == 20, 1]
        return pytest.approx((ys.min(), ys.max()), abs=1e-4)

    # the 0.975 quantile of Student's t with 2 degrees of freedom is 4.3027
    half = 4.3027 * 0.1 / np.sqrt(3)
    assert last() == (0.7 - half, 0.7 + half)
    assert last(interval="std") == (0.6, 0.8)
    assert last(interval="range") == (0.6, 0.8)
    half = 2.9200 * 0.1 / np.sqrt(3)
    assert last(confidence_level=0.9) == (0.7 - half, 0.7 + half)
    assert display.plot(interval=None).bands_ == []
    title = display.ax_.get_legend().get_title().get_text()
    assert title == "mean of 3 seeds"


def test_one_run_has_neither_band_nor_note():
    display = LearningCurveDisplay(
        scores={"a": [[0.5, 0.6]]}, n_labeled={"a": [[1, 2]]}
    )
    assert display.plot().bands_ == []
    assert display.ax_.get_legend().get_title().get_text() == ""


def test_the_axes_given_are_drawn_on():
    figure, (left, right) = plt.subplots(1, 2)
    display = LearningCurveDisplay(
        scores={"a": [[0.5, 0.6]]}, n_labeled={"a": [[1, 2]]}
    )
    assert display.plot(right, add_legend=False) is display
    assert display.ax_ is right
    assert display.figure_ is figure
    assert right.get_legend() is None
    assert not left.lines


@pytest.fixture(scope="module")
def two_lengths():
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(100, 2)), rng.randint(2, size=100)
    learners = {
        "long": ActiveLearner(LogisticRegression(), n_queries=10),
        "short": ActiveLearner(LogisticRegression(), n_queries=30),
    }
    return simulate(learners, (X, y, X, y), n_rounds=5, initial=10, seeds=2)


def test_runs_of_different_lengths(two_lengths):
    with pytest.raises(ValueError, match="must be of one length"):
        LearningCurveDisplay.from_simulation(two_lengths)
    display = LearningCurveDisplay.from_simulation(two_lengths, pad=True)
    long, short = display.lines_
    assert long.get_xdata().tolist() == [10, 20, 30, 40, 50, 60]
    assert short.get_xdata().tolist() == [10, 40, 70, 100]


def test_a_mean_stops_where_the_first_run_is_over():
    display = LearningCurveDisplay(
        scores={"a": [[0.5, 0.6, 0.9], [0.5, 0.6, np.nan]]},
        n_labeled={"a": [[1, 2, 3], [1, 2, np.nan]]},
    )
    (line,) = display.plot().lines_
    assert line.get_xdata().tolist() == [1, 2]


def test_a_score_that_is_not_there_leaves_a_gap():
    display = LearningCurveDisplay(
        scores={"a": [[0.5, np.nan, 0.7]]}, n_labeled={"a": [[1, 2, 3]]}
    )
    (line,) = display.plot().lines_
    np.testing.assert_array_equal(line.get_ydata(), [0.5, np.nan, 0.7])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"scores": {"a": [[0.5, 0.6, 0.7]]}}, r"as many seeds and rounds.*\(1, 3\)"),
        ({"scores": {"b": [[0.5, 0.6]]}}, "the same names"),
        ({"scores": {"a": [0.5, 0.6]}}, r"one row per seed.*\(2,\) for 'a'"),
        ({"scores": {}}, "at least one"),
        ({"scores": [[0.5, 0.6]]}, "a dict of curves by name.*list"),
        ({"seconds": {"a": [[1.0]]}}, "seconds and n_labeled"),
        ({"seconds": None}, "takes the seconds waited"),
    ],
)
def test_what_is_refused(change, match):
    good = {name: {"a": [[0.5, 0.6]]} for name in ("scores", "n_labeled", "seconds")}
    with pytest.raises(ValueError, match=match):
        LearningCurveDisplay(**good | change).plot(x="seconds")


def test_names_that_are_unknown(table):
    with pytest.raises(ValueError, match="column of the table. Got 'f2'"):
        LearningCurveDisplay.from_simulation(table, "f2")
    with pytest.raises(ValueError, match="which column of scores"):
        LearningCurveDisplay.from_simulation(table)
    with pytest.raises(ValueError, match="Got 'trec'; there are"):
        LearningCurveDisplay.from_simulation(table, "f1", dataset="trec")
    for params in ({"x": "hours"}, {"interval": "sem"}, {"confidence_level": 95}):
        with pytest.raises(ValueError, match=f"'{next(iter(params))}' parameter"):
            LearningCurveDisplay.from_simulation(table, "f1", **params)
    with pytest.raises(TypeError, match="Got int"):
        LearningCurveDisplay.from_simulation(3)


def test_a_table_that_lacks_columns(table):
    kept = {name: table[name] for name in table if name not in TIMES}
    display = LearningCurveDisplay.from_simulation(kept, "f1")
    assert display.seconds is None
    with pytest.raises(ValueError, match="all its columns of times"):
        display.plot(x="seconds")
    del kept["n_labeled"]
    with pytest.raises(ValueError, match="n_labeled"):
        LearningCurveDisplay.from_simulation(kept, "f1")


def test_a_folder_of_another_version(tmp_path, sentences, pipeline):
    folder = tmp_path / "results"
    learner = ActiveLearner(pipeline, n_queries=10)
    simulate(learner, sentences, n_rounds=1, seeds=1, folder=folder)
    display = LearningCurveDisplay.from_simulation(folder)
    assert display.lines_[0].get_xdata().tolist() == [10, 20]
    about = json.loads((folder / "simulation.json").read_text())
    (folder / "simulation.json").write_text(json.dumps(about | {"skal": "0.0.1"}))
    with pytest.raises(ValueError, match=r"are of 0\.0\.1"):
        LearningCurveDisplay.from_simulation(folder)
