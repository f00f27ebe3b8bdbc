# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Subpools: their size, and the rare class among what was seen and asked for."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from skal import ActiveLearner, simulate
from skal.filters import RandSub
from skal.inspection import SubpoolDisplay
from skal.strategies import RandomSampling


@pytest.fixture(scope="module")
def display(table, sentences):
    return SubpoolDisplay.from_simulation(table, sentences[1], minority=1)


def rounds_of(table, learner, seed):
    mine = (table.learner == learner) & (table.seed == seed)
    return np.flatnonzero(mine)


def test_the_pictures(display, save):
    _, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    labels = []
    for kind, ax in zip(["size", "share", "found"], axes, strict=True):
        assert display.plot(ax, kind=kind, add_legend=kind == "found") is display
        assert display.ax_ is ax
        assert ax.get_xlabel() == "labels bought"
        labels.append(ax.get_ylabel())
    assert labels == [
        "rows in the subpool",
        "minority share of the subpool",
        "minority share of the labels",
    ]
    save(display.figure_, "subpool")


def test_with_a_filter_the_table_says_what_was_seen(display, table):
    name = "RandSub(entropy)"
    for seed in range(3):
        rows = rounds_of(table, name, seed)
        size = [np.nan, *[60] * 6]
        np.testing.assert_array_equal(display.size[name][seed], size)
        counts = np.array([table.subpool_counts[row] for row in rows[1:]])
        np.testing.assert_allclose(display.share[name][seed][1:], counts[:, 1] / 60)


def test_without_a_filter_all_that_is_left_is_seen(display, table, sentences):
    y = sentences[1]
    for seed in range(3):
        left = np.ones(len(y), dtype=bool)
        for round_, row in enumerate(rounds_of(table, "entropy", seed)):
            if round_:
                assert display.size["entropy"][seed, round_] == left.sum()
                share = display.share["entropy"][seed, round_]
                assert share == pytest.approx(y[left].mean())
            left[table.rows[row]] = False
            found = display.found["entropy"][seed, round_]
            assert found == pytest.approx(y[~left].mean())


def test_the_lines_are_means(display):
    display.plot(kind="found")
    for line, runs in zip(display.lines_, display.found.values(), strict=True):
        np.testing.assert_allclose(line.get_ydata(), runs.mean(axis=0))
    assert len(display.bands_) == 3
    title = display.ax_.get_legend().get_title().get_text()
    assert title == "mean of 3 seeds\nband: 95 % confidence"


def test_sizes_that_differ_widely_get_a_logarithmic_axis():
    n_labeled = {"a": [[10, 20]], "b": [[10, 20]]}
    size = {"a": [[np.nan, 100]], "b": [[np.nan, 90_000]]}
    display = SubpoolDisplay(n_labeled=n_labeled, size=size, share=size, found=size)
    assert display.plot().ax_.get_yscale() == "log"
    display.size = {"a": [[np.nan, 100]], "b": [[np.nan, 900]]}
    assert display.plot().ax_.get_yscale() == "linear"
    assert display.ax_.get_ylim()[0] == 0


def test_a_class_that_only_the_test_rows_have(sentences, pipeline):
    X, y, X_test, y_test = sentences
    learner = ActiveLearner(pipeline, RandSub(RandomSampling(), max_subpool=50))
    data = X, y, X_test, np.where(np.arange(len(y_test)) < 3, 2, y_test)
    initial = {0: 3, 1: 3}
    table = simulate(learner, data, n_rounds=1, n_queries=5, initial=initial, seeds=1)
    with pytest.raises(ValueError, match="Got 3 counts and 2 classes; pass classes="):
        SubpoolDisplay.from_simulation(table, y, minority=1)
    display = SubpoolDisplay.from_simulation(table, y, 1, classes=[0, 1, 2])
    share = table.subpool_counts[1][1] / 50
    assert display.share["learner"][0, 1] == pytest.approx(share)


def test_what_is_refused(table, sentences, display):
    y = sentences[1]
    with pytest.raises(ValueError, match=r"labels that are in y. Got 'rare'.*\[0, 1\]"):
        SubpoolDisplay.from_simulation(table, y, minority="rare")
    with pytest.raises(ValueError, match="must name labels"):
        SubpoolDisplay.from_simulation(table, y, minority=[])
    with pytest.raises(ValueError, match="labels of the whole pool"):
        SubpoolDisplay.from_simulation(table, y[:50], minority=1)
    kept = {name: table[name] for name in table if name != "subpool_counts"}
    with pytest.raises(ValueError, match="name 'subpool_counts'"):
        SubpoolDisplay.from_simulation(kept, y, minority=1)
    with pytest.raises(ValueError, match="'kind' parameter"):
        display.plot(kind="shares")
