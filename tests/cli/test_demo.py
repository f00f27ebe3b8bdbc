# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

import io
import time

import numpy as np
import pytest
import torch
from rich.console import Console
from transformers.utils import logging
from typer.testing import CliRunner

from skal.cli._app import app
from skal.cli._demo import Job, _run, one_thread, run_demo
from skal.cli._screen import Screen, quiet_transformers, save_figure
from skal.cli._summary import Outcome, Point, conclude, outcome
from skal.cli._task import BalancedClassifier, split


def test_the_split_follows_the_protocol():
    y = np.repeat([0, 1], [5000, 230])
    texts = [f"text {i}" for i in range(len(y))]
    task = split(texts, y, seed=0)
    assert np.bincount(task.y_test).tolist() == [4 * 76, 76]
    assert np.bincount(task.y_seed).tolist() == [95, 5]
    y_left = np.concatenate([task.y_seed, task.y_pool])
    assert y_left.mean() == pytest.approx(0.02, abs=1e-3)
    assert np.sum(y_left == 0) == 5000 - 4 * 76
    rows = task.X_seed + task.X_pool + task.X_test
    assert len(set(rows)) == len(rows)
    label = dict(zip(texts, y, strict=True))
    for X, part in zip(task[::2], task[1::2], strict=True):
        assert [label[text] for text in X] == part.tolist()


def test_the_split_depends_on_its_seed_alone():
    y = np.repeat([0, 1], [2000, 150])
    texts = [f"text {i}" for i in range(len(y))]
    pools = [split(texts, y, seed=seed).X_pool for seed in (0, 0, 1)]
    assert pools[0] == pools[1] != pools[2]


def test_the_split_shuffles():
    y = np.repeat([0, 1], [2000, 150])
    texts = [f"text {i}" for i in range(len(y))]
    tests = [split(texts, y, seed=seed).X_test for seed in (0, 1)]
    assert set(tests[0]) != set(tests[1])


def test_the_classifier_sees_both_classes_equally_often(monkeypatch):
    seen = {}
    monkeypatch.setattr(
        "skal.TransformerClassifier.fit",
        lambda self, X, y: seen.update(X=X, y=y) or self,
    )
    BalancedClassifier("unused").fit(list("abcdefg"), [0, 0, 1, 0, 0, 1, 0])
    assert seen["X"] == list("abdegcfcfc")
    assert np.bincount(seen["y"]).tolist() == [5, 5]
    BalancedClassifier("unused").fit(list("abc"), [1, 1, 0])  # no row is lost
    assert sorted(seen["X"]) == list("abc")


def make_curve(n_found, f1):
    """A curve of two rounds that starts at no row found and an F1 of 0.1."""
    return [Point(100, 0, 0.1, 0.0, 1.0), Point(150, n_found, f1, 1.0, 2.0)]


def make_curves(active, random):
    """Curves of two strategies; an argument has (found, F1) at the end of each seed."""
    return {
        name: [make_curve(*end) for end in ends]
        for name, ends in (("AnchorAL", active), ("random", random))
    }


def test_an_outcome_sums_up_a_curve():
    assert outcome(make_curve(7, 0.5)) == Outcome(7, pytest.approx(0.3), 0.5, 2.0)


def test_the_conclusion_has_means_ranges_and_wins():
    text = conclude(
        make_curves([(9, 0.5), (20, 0.3), (1, 0.1)], [(1, 0.7), (2, 0.1), (3, 0.3)]),
        "joblib",
        30,
    )
    assert text.splitlines() == [
        "Of the 30 joblib sentences in the pool, AnchorAL found 10.0 (1 to 20) and "
        "random picking 2.0 (1 to 3).",
        "Mean F1 of joblib along the curve: 0.200 (0.100 to 0.300) and 0.233 (0.100 to "
        "0.400).",
        "AnchorAL found more in 2 of 3 seeds; its mean F1 was higher in 1 of 3.",
        "These are means over the seeds, with the lowest and the highest.",
    ]


def test_the_conclusion_of_one_seed_claims_nothing():
    text = conclude(make_curves([(1, 0.1)], [(9, 0.3)]), "joblib", 30)
    assert "AnchorAL found 1 and random picking 9." in text
    assert "0.100 and 0.200." in text
    assert "one seed" in text
    assert "higher" not in text


def show(curves, folder, n_rounds=4):
    """What the screen shows of `curves` on 80 columns, as lines."""
    console = Console(width=80, record=True, file=io.StringIO())
    found = {}
    with Screen(console).table(found, list(curves), n_rounds, folder):
        for name, seeds in curves.items():
            found |= {(name, seed): curve for seed, curve in enumerate(seeds)}
    text = console.export_text()
    assert text.endswith("\n")
    return text.splitlines()


def cells(lines, title):
    return next(line.split()[1:] for line in lines if line.split()[:1] == [title])


def test_the_table_fits_80_columns(tmp_path):
    ends = [(99, 0.9), (98, 0.5)]
    lines = show(make_curves(ends, ends), tmp_path)
    text = "\n".join(lines)
    assert "…" not in text
    assert text.count("AnchorAL") == text.count("random") == 1
    assert cells(lines, "0") == ["99", "0.500", "0.900", "2.0"] * 2
    assert cells(lines, "1") == ["98", "0.300", "0.500", "2.0"] * 2
    assert cells(lines, "mean") == ["98.5", "0.400", "0.700", "2.0"] * 2
    assert cells(lines, "std") == ["0.7", "0.141", "0.283", "0.0"] * 2


def test_the_table_waits_for_both_strategies(tmp_path):
    curves = make_curves([(9, 0.5), (8, 0.5)], [(1, 0.5)])
    lines = show(curves, tmp_path)
    assert len(cells(lines, "0")) == 8
    assert len(cells(lines, "1")) == 4
    assert not any(line.split()[:1] == ["mean"] for line in lines)  # one seed is done


def test_the_bar_counts_rounds(tmp_path):
    for name in "abc":
        (tmp_path / name).touch()
    assert any("3/4" in line for line in show({}, tmp_path))


def test_the_figure_is_a_picture(tmp_path):
    curves = make_curves([(9, 0.5), (3, 0.4)], [(1, 0.2), (1, 0.1)])
    path = save_figure(curves, "joblib", tmp_path / "curve.png")
    assert path.is_absolute()
    assert path.read_bytes().startswith(b"\x89PNG")


def test_globals_are_put_back():
    n_threads, level = torch.get_num_threads(), logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    with quiet_transformers(), one_thread():
        assert torch.get_num_threads() == 1
        assert not logging.is_progress_bar_enabled()
    assert torch.get_num_threads() == n_threads
    assert logging.get_verbosity() == level
    assert logging.is_progress_bar_enabled() == bars


def test_an_unknown_model_gets_one_line(tmp_path):
    result = CliRunner().invoke(
        app, ["demo", "--quick", "--output", str(tmp_path), "--model", "no/such-model"]
    )
    assert result.exit_code == 1
    assert "Error:" in result.output
    assert "no/such-model" in result.output
    assert "Traceback" not in result.output
    assert "sentences" not in result.output  # before any work


TEXTS = [
    f"The {noun} of the {thing} is {adjective}{' in parallel' * is_rare}."
    for is_rare in (False, True)
    for noun in "row column value shape mean sum size name type rank".split()
    for thing in "matrix array graph tree list table".split()
    for adjective in "sparse dense large small empty full".split()
]


def run(strategy, folder, seed=0):
    y = np.repeat([0, 1], len(TEXTS) // 2)
    job, curve = _run(Job(strategy, seed, "skal-tiny", 1, 20), TEXTS, y, folder)
    assert (job.strategy, job.seed) == (strategy, seed)
    return [point[:3] for point in curve]


@pytest.mark.slow
def test_both_strategies_start_from_the_same_fit(tmp_path):
    active, random = run("AnchorAL", tmp_path), run("random", tmp_path)
    assert active[0] == random[0]
    assert [n_labels for n_labels, *_ in active] == [100, 120]
    assert len(list(tmp_path.iterdir())) == 4  # rounds done
    assert active == run("AnchorAL", tmp_path)


@pytest.mark.slow
def test_quick_demo(tmp_path):
    started = time.perf_counter()
    result = CliRunner().invoke(
        app, ["demo", "--quick", "--output", str(tmp_path)], env={"COLUMNS": "80"}
    )
    assert result.exit_code == 0, result.output
    assert (tmp_path / "learning_curve.png").stat().st_size > 10_000
    assert "Picture saved to" in result.output
    assert "random picking" in result.output
    assert "6/6" in result.output
    assert time.perf_counter() - started < 600


@pytest.mark.slow
def test_the_numbers_do_not_depend_on_the_processes(tmp_path):
    alone, shared = (run_demo(1, 20, 2, tmp_path, n_jobs=n_jobs) for n_jobs in (1, 2))
    assert [len(seeds) for seeds in alone.values()] == [2, 2]
    for name, seeds in alone.items():
        for curve, other in zip(seeds, shared[name], strict=True):
            assert [p[:3] for p in curve] == [p[:3] for p in other]
