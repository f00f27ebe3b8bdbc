# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What all displays promise: they store, they draw where they are told."""

import importlib.util

import matplotlib.pyplot as plt
import numpy as np
import pytest

from skal.inspection import (
    DataMapDisplay,
    DiversityUncertaintyDisplay,
    LearningCurveDisplay,
    LossDivergenceDisplay,
    RankDisplay,
    SelectionDisplay,
    SubpoolDisplay,
)

CURVES = {"a": np.array([[0.5, 0.6], [0.4, 0.7]])}
LABELS = {"a": np.array([[10, 20], [10, 20]])}
NUMBERS = np.linspace(0, 1, 5)

BATCHES = {"a method with a long name": [0.1, 0.2], "b": [0.3, 0.1]}

DISPLAYS = {
    DiversityUncertaintyDisplay: dict.fromkeys(
        ["diversity", "uncertainty", "rounds"], BATCHES
    ),
    LossDivergenceDisplay: dict.fromkeys(["loss", "divergence", "rounds"], BATCHES),
    LearningCurveDisplay: {
        "scores": CURVES,
        "n_labeled": LABELS,
        "seconds": None,
        "score_name": "f1",
    },
    DataMapDisplay: dict.fromkeys(
        ["confidence", "variability", "correctness"], NUMBERS
    ),
    RankDisplay: {
        "mean_ranks": {"a method with a long name": 1.1, "b": 2.4, "c": 2.5},
        "critical_difference": 1.2,
        "n_datasets": 9,
        "pvalue": 0.04,
    },
    SelectionDisplay: {
        "points": np.random.RandomState(0).normal(size=(40, 2)),
        "y_pred": np.arange(40) % 3,
        "rows": [3, 1],
        "y_true": np.arange(40) % 2,
        "axis_name": "t-SNE",
    },
    SubpoolDisplay: {
        "n_labeled": LABELS,
        **dict.fromkeys(["size", "share", "found"], CURVES),
    },
}
EACH = pytest.mark.parametrize(
    ("display", "params"),
    DISPLAYS.items(),
    ids=lambda value: getattr(value, "__name__", ""),
)


@EACH
def test_what_is_given_is_stored(display, params):
    made = display(**params)
    assert vars(made) == params
    assert all(getattr(made, name) is value for name, value in params.items())


@EACH
def test_draws_on_the_axes_given_or_on_new_ones(display, params):
    _, (left, right) = plt.subplots(1, 2)
    drawn = display(**params)
    assert drawn.plot(ax=right) is drawn
    assert drawn.ax_ is right
    assert drawn.figure_ is right.figure
    assert not left.has_data()
    again = drawn.plot()
    assert again is drawn
    assert drawn.ax_ is not right
    assert drawn.ax_.get_xlabel()
    assert drawn.ax_.get_ylabel() or display is RankDisplay
    drawn.figure_.canvas.draw()


@EACH
def test_nothing_overlaps_the_edge(display, params):
    drawn = display(**params).plot()
    drawn.figure_.canvas.draw()
    box = drawn.figure_.get_tightbbox().extents
    width, height = drawn.figure_.get_size_inches()
    assert (box[:2] >= 0).all()
    assert box[2] <= width
    assert box[3] <= height


@EACH
def test_without_matplotlib(display, params, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *args: None if name == "matplotlib" else find_spec(name, *args),
    )
    match = rf'{display.__name__}.plot needs matplotlib.*"skal\[inspection\]"'
    with pytest.raises(ImportError, match=match):
        display(**params).plot()
