# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Critical differences: who is joined to whom, and nothing written over another."""

import itertools

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from skal import ActiveLearner, simulate
from skal.inspection import RankDisplay
from skal.metrics import learning_curve_auc, learning_curves
from skal.strategies import Entropy, Margin, RandomSampling

# Demšar 2006, Figure 1 (a): CD is 1.25 at the level 0.05.
PAPER = {"C4.5": 3.143, "C4.5+m": 2.0, "C4.5+cf": 2.893, "C4.5+m+cf": 1.964}


def test_a_picture_of_many_methods(save):
    rng = np.random.RandomState(0)
    names = [
        "random",
        "entropy",
        "margin",
        "BADGE",
        "REAL",
        "ALPS",
        "AnchorAL(entropy)",
    ]
    quality = [0, 1, 1.1, 1.2, 2.1, 2.2, 3]
    scores = {
        name: mean + rng.normal(size=12)
        for name, mean in zip(names, quality, strict=True)
    }
    display = RankDisplay.from_scores(scores)
    save(display.figure_, "ranks")
    ranks = display.mean_ranks
    assert display.n_datasets == 12
    for better, worse in itertools.combinations(sorted(ranks, key=ranks.get), 2):
        joined = any({better, worse} <= set(group) for group in display.groups_)
        assert joined == (ranks[worse] - ranks[better] <= display.critical_difference)
    for bar, group in zip(display.bars_, display.groups_, strict=True):
        low, high = bar.get_xdata()
        assert low == pytest.approx(min(ranks[name] for name in group), abs=0.1)
        assert high == pytest.approx(max(ranks[name] for name in group), abs=0.1)
    written = sorted(text.get_text() for text in display.ax_.texts)
    assert len(written) == 7
    assert any(f"{ranks['BADGE']:.2f}" in text and "BADGE" in text for text in written)
    assert display.ax_.get_xlabel() == "mean rank over 12 data sets (1 is best)"
    assert display.ax_.get_title() == "critical difference 2.60; Friedman p = 0.002"


def test_the_texts_do_not_touch():
    display = RankDisplay(
        mean_ranks={f"m{i}": 3 + i / 100 for i in range(9)},
        critical_difference=2,
        n_datasets=9,
    ).plot()
    display.figure_.canvas.draw()
    boxes = [text.get_window_extent() for text in display.ax_.texts]
    boxes += [display.ax_.title.get_window_extent()]
    boxes += [display.ax_.xaxis.label.get_window_extent()]
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)


def test_the_groups_of_the_paper():
    display = RankDisplay(mean_ranks=PAPER, critical_difference=1.25, n_datasets=14)
    assert display.plot().groups_ == [["C4.5+m+cf", "C4.5+m", "C4.5+cf", "C4.5"]]
    display.critical_difference = 1.12
    assert display.plot().groups_ == [
        ["C4.5+m+cf", "C4.5+m", "C4.5+cf"],
        ["C4.5+cf", "C4.5"],
    ]


def test_bars_that_overlap_are_on_levels_of_their_own():
    ranks = {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}
    display = RankDisplay(
        mean_ranks=ranks, critical_difference=1.5, n_datasets=9
    ).plot()
    assert display.groups_ == [["a", "b"], ["b", "c"], ["c", "d"], ["d", "e"]]
    depths = [bar.get_ydata()[0] for bar in display.bars_]
    assert depths[0] == depths[2] < depths[1] == depths[3]


def test_no_group():
    display = RankDisplay(
        mean_ranks={"a": 1, "b": 2}, critical_difference=0.5, n_datasets=30
    ).plot()
    assert display.groups_ == display.bars_ == []
    assert display.ax_.get_title() == "critical difference 0.50"


def test_of_a_simulation():
    datasets = {}
    for seed in range(4):
        X, y = make_classification(120, random_state=seed)
        datasets[f"set {seed}"] = X[:80], y[:80], X[80:], y[80:]
    learners = {
        type(strategy).__name__: ActiveLearner(LogisticRegression(), strategy)
        for strategy in (Entropy(), Margin(), RandomSampling())
    }
    table = simulate(
        learners, datasets, n_rounds=2, n_queries=5, initial={0: 3, 1: 3}, seeds=2
    )
    display = RankDisplay.from_simulation(table)
    heights = {
        name: [
            np.mean(
                [
                    learning_curve_auc(run, normalize=True)
                    for run in learning_curves(table, dataset=dataset)[name]
                ]
            )
            for dataset in datasets
        ]
        for name in learners
    }
    assert RankDisplay.from_scores(heights).mean_ranks == display.mean_ranks
    # two classes: the two orders are one
    assert display.mean_ranks["Entropy"] == display.mean_ranks["Margin"]
    few = {key: values[table.dataset == "set 0"] for key, values in table.items()}
    with pytest.raises(ValueError, match="one score per data set, of at least two"):
        RankDisplay.from_simulation(few)
    kept = (table.dataset != "set 1") | (table.learner != "Margin")
    kept = {key: values[kept] for key, values in table.items()}
    with pytest.raises(ValueError, match="'Margin' has no run on 'set 1'"):
        RankDisplay.from_simulation(kept)
    with pytest.raises(ValueError, match="column of the table. Got 'f1'"):
        RankDisplay.from_simulation(table, "f1")


@pytest.mark.parametrize("ranks", [{"a": 1}, {"a": 1, "b": 2.5}, {"a": 0, "b": 1}])
def test_ranks_that_are_none(ranks):
    display = RankDisplay(mean_ranks=ranks, critical_difference=1, n_datasets=3)
    with pytest.raises(ValueError, match="from 1 to their number"):
        display.plot()
