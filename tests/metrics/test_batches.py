# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What is in a batch."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from skal.metrics import (
    batch_data_map,
    batch_overlap,
    batch_uncertainty,
    token_diversity,
)

FOLDER = Path(__file__).parents[1] / "golden"
OVERLAP = sorted((FOLDER / "batch_overlap").glob("*.npz"))
ALPS = sorted((FOLDER / "alps_gd_gu").glob("*.npz"))
MAPS = sorted((FOLDER / "datamap").glob("*.npz"))


def of(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def test_golden_folders_are_there():
    assert (len(OVERLAP), len(ALPS)) == (2, 3)
    assert MAPS


@of(OVERLAP)
def test_overlaps_are_the_golden_ones(path):
    case = np.load(path)
    per_round, total = batch_overlap(case["true_ids_a"], case["true_ids_b"])
    assert np.array_equal(per_round, case["overlap_same_round_true"])
    assert total == case["overlap_total_union"]


@of(OVERLAP)
def test_positions_in_the_shrinking_pool_are_no_identities(path):
    """The authors' numbers of rows: where they repeat, that is said."""
    case = np.load(path)
    ids = case["repo_ids_a"]
    if len(np.unique(ids)) < ids.size:
        with pytest.raises(ValueError, match="positions in the initial pool"):
            batch_overlap(ids, case["repo_ids_b"])
    else:
        per_round, _ = batch_overlap(ids, ids)
        assert np.array_equal(per_round, np.full(len(ids), ids.shape[1]))


def test_overlap_by_hand_is_symmetric_and_takes_ids():
    a, b = [["x", "y"], ["z"], []], [["y", "w"], ["x"], ["z"]]
    per_round, total = batch_overlap(a, b)
    assert (per_round.tolist(), total) == ([1, 0, 0], 3)
    mirrored, same = batch_overlap(b, a)
    assert np.array_equal(mirrored, per_round)
    assert same == total
    assert batch_overlap([[]], [[]])[0].tolist() == [0]


def test_bad_overlaps():
    with pytest.raises(ValueError, match="Got 2 and 1; cut the longer one"):
        batch_overlap([[1], [2]], [[1]])
    with pytest.raises(ValueError, match="Got .*1.* more than once"):
        batch_overlap([[1], [1]], [[2], [3]])
    with pytest.raises(ValueError, match="wrap a single batch in a list"):
        batch_overlap([1, 2], [3, 4])


@of(ALPS)
def test_diversity_and_uncertainty_are_the_golden_ones(path):
    case = np.load(path)
    tokens, rows = case["tokens"], case["sampled"]
    assert token_diversity(tokens, rows) == pytest.approx(float(case["gd"]))
    without = token_diversity(tokens, rows, exclude=[0, 101, 102])
    assert without == pytest.approx(float(case["gd_without_special_tokens"]))
    uncertainty = batch_uncertainty(softmax(case["logits"], axis=1))
    assert uncertainty == pytest.approx(float(case["gu"]))


def test_diversity_by_hand():
    tokens = [[1, 2], [2, 3, 3], [4]]
    assert token_diversity(tokens, [0]) == 1 / 4
    assert token_diversity(tokens, [1]) == 1 / 4
    assert token_diversity(tokens, [2]) == 0.0
    assert token_diversity(tokens, [0, 1, 2]) == 0.0  # nothing is left to compare with
    assert token_diversity([[5], [5, 5]], [0]) == 1.0
    assert np.isnan(token_diversity([[5], [5]], [0], exclude=[5]))
    assert np.isnan(token_diversity([[], []], [0]))


def test_diversity_has_neither_order_nor_sides():
    random = np.random.RandomState(0)
    tokens = random.randint(0, 300, size=(60, 7))
    rows = random.choice(60, 20, replace=False)
    diversity = token_diversity(tokens, rows)
    assert 0 < diversity < 1
    rest = np.setdiff1d(np.arange(60), rows)
    assert token_diversity(tokens, rest) == diversity
    assert token_diversity(tokens[:, ::-1], rows[::-1]) == diversity
    lists = [text.tolist() for text in tokens.astype(np.int32)]
    assert token_diversity(lists, rows) == diversity


def test_tokens_of_a_real_tokenizer():
    from skal.neural import load_tokenizer

    tokenizer = load_tokenizer("skal-tiny")
    texts = ["Return the mean of x.", "Return the sum of x.", "Open a file."]
    tokens = tokenizer(texts)["input_ids"]
    special = tokenizer.all_special_ids
    near = token_diversity(tokens, [0], exclude=special)
    far = token_diversity(tokens, [2], exclude=special)
    assert near > far
    assert token_diversity(tokens, [2]) > far


def test_bad_tokens():
    with pytest.raises(ValueError, match="Row 1 has dtype float64"):
        token_diversity([[1, 2], [0.5]], [0])
    with pytest.raises(ValueError, match=r"input_ids"):
        token_diversity(["a text", "another"], [0])
    with pytest.raises(ValueError, match="at least 0. Row 1: -100"):
        token_diversity([[1], [-100]], [0])
    with pytest.raises(ValueError, match="from 0 to 1. Got 2"):
        token_diversity([[1], [2]], [2])


@pytest.mark.parametrize("n_classes", [2, 5])
def test_uncertainty_is_between_0_and_log_of_the_classes(n_classes):
    assert batch_uncertainty(np.eye(n_classes)) == 0.0
    flat = np.full((3, n_classes), 1 / n_classes)
    assert batch_uncertainty(flat) == pytest.approx(np.log(n_classes))


def test_bad_uncertainty():
    with pytest.raises(ValueError, match="at least one"):
        batch_uncertainty(np.empty((0, 2)))
    with pytest.raises(ValueError, match="were logits passed"):
        batch_uncertainty([[2.0, -1.0]])


@of(MAPS)
def test_batch_statistics_are_means_of_the_golden_maps(path):
    case = np.load(path)
    rows = np.arange(case["correct"].shape[1])[::3]
    means = batch_data_map(case["gold_probs"], case["correct"], rows)
    n_epochs = len(case["correct"])
    close = {"rel": 1e-5, "abs": 1e-7}
    assert means.confidence == pytest.approx(case["confidence"][rows].mean(), **close)
    assert means.variability == pytest.approx(case["variability"][rows].mean(), **close)
    share = case["correctness_count"][rows].mean() / n_epochs
    assert means.correctness == pytest.approx(share)


def test_batch_statistics_after_teaching_a_batch():
    from skal import ActiveLearner
    from skal.text import DenseClassifier

    random = np.random.RandomState(0)
    X = random.normal(size=(60, 3)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    network = DenseClassifier((8,), max_epochs=4, device="cpu")
    learner = ActiveLearner(network, random_state=0).fit(X[:20], y[:20])
    rows = learner.query(X[20:], 5)
    learner.teach(X[20:][rows], y[20:][rows])
    dynamics = learner.estimator_.training_dynamics_
    assert dynamics.gold_proba.shape[1] == 25
    means = batch_data_map(dynamics.gold_proba, dynamics.correct, range(20, 25))
    assert means.confidence == pytest.approx(dynamics.gold_proba[:, 20:].mean())
    # The least certain rows are the harder ones to learn.
    easy = batch_data_map(dynamics.gold_proba, dynamics.correct, range(20))
    assert means.confidence < easy.confidence


def test_bad_batch_statistics():
    with pytest.raises(ValueError, match="one shape"):
        batch_data_map([[0.5, 0.5]], [[1]], [0])
    with pytest.raises(ValueError, match="from 0 to 1. Got 2"):
        batch_data_map([[0.5, 0.5]], [[1, 0]], [2])
