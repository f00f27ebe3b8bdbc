# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The folder of a simulation: resume, refuse, a full disk, Ctrl-C, SIGKILL."""

import csv
import errno
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression

import skal
from skal import ActiveLearner, NoisyOracle, simulate
from skal._simulation_run import run_task
from skal.strategies import Entropy, RandomSampling

LEARNERS = {
    "entropy": ActiveLearner(LogisticRegression(), Entropy()),
    "at random": ActiveLearner(LogisticRegression(), RandomSampling()),
}
SHORT = {"n_rounds": 2, "n_queries": 10, "seeds": 2}


@pytest.fixture(scope="module")
def data():
    """200 points in the plane with 3 classes, and 100 to test on."""
    X, y = make_blobs(300, centers=3, cluster_std=2.0, random_state=0)
    return X[:200], y[:200], X[200:], y[200:]


@pytest.fixture(scope="module")
def expected(data):
    return without_seconds(simulate(LEARNERS, data, **SHORT))


def without_seconds(table):
    frame = pd.DataFrame(table).drop(columns=[n for n in table if n.endswith("_time")])
    lists = {
        name: [tuple(map(int, numbers)) for numbers in frame[name]]
        for name in ("subpool_counts", "rows")
    }
    return frame.assign(**lists)


def run_files(folder):
    """{path: content} of the finished runs."""
    return {path: path.read_bytes() for path in sorted((folder / "runs").iterdir())}


def unfinished(folder):
    return list(folder.rglob("*.tmp"))


def test_what_is_stored_is_the_table(data, expected, tmp_path):
    table = simulate(LEARNERS, data, **SHORT, folder=tmp_path / "new" / "folder")
    folder = tmp_path / "new" / "folder"
    assert without_seconds(table).equals(expected)
    assert len(run_files(folder)) == 4
    lines = (folder / "table.jsonl").read_text().splitlines()
    stored = pd.DataFrame([json.loads(line) for line in lines])
    assert stored["fit_time"].tolist() == table.fit_time.tolist()
    assert [tuple(rows) for rows in stored["rows"]] == expected["rows"].tolist()
    with open(folder / "table.csv", newline="") as file:
        stored = list(csv.DictReader(file))
    assert list(stored[0]) == list(table)
    assert [float(line["test_score"]) for line in stored] == table.test_score.tolist()
    assert stored[1]["rows"] == " ".join(map(str, expected["rows"][1]))
    assert stored[0]["n_subpool"] == stored[0]["subpool_counts"] == ""


def test_only_what_is_missing_is_done(data, expected, tmp_path):
    simulate(LEARNERS, data, **SHORT, folder=tmp_path)
    before = run_files(tmp_path)
    first, second, *others = before
    first.unlink()
    second.write_bytes(before[second][:-20])  # as a damaged disk might leave it
    table = simulate(LEARNERS, data, **SHORT, folder=str(tmp_path))
    assert without_seconds(table).equals(expected)
    after = run_files(tmp_path)
    assert list(after) == list(before)
    assert all(after[path] == before[path] for path in others), "done again"
    assert after[first] != before[first]
    assert after[second] != before[second]


def test_learners_data_sets_and_seeds_may_be_added(data, expected, tmp_path):
    simulate({"entropy": LEARNERS["entropy"]}, data, **SHORT, folder=tmp_path)
    before = run_files(tmp_path)
    table = simulate(LEARNERS, data, **SHORT | {"seeds": [0]}, folder=tmp_path)
    assert without_seconds(table).equals(
        expected[expected["seed"] == 0].reset_index(drop=True)
    )
    X, y, *test = data
    simulate(LEARNERS, {"more": (X[::2], y[::2], *test)}, **SHORT, folder=tmp_path)
    table = simulate(LEARNERS, data, **SHORT, folder=tmp_path)
    assert without_seconds(table).equals(expected)
    after = run_files(tmp_path)
    assert len(after) == 8
    assert all(after[path] == before[path] for path in before), "done again"


def of_size(n_rows):
    """A function that gives a data set, for a function is a data set too."""

    def points():
        X, y = make_blobs(n_rows, random_state=0)
        return X[:100], y[:100], X[100:], y[100:]

    return points


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"n_rounds": 3}, r"protocol\.n_rounds is 2; in this call it is 3"),
        ({"n_queries": 5}, r"protocol\.n_queries is 10; in this call it is 5"),
        ({"initial": 20}, r"protocol\.initial\.initial is None; in this call it is 20"),
        ({"scoring": "f1_macro"}, r"protocol\.scoring is None"),
        ({"oracle": NoisyOracle()}, r"protocol\.oracle is None"),
        (
            {"learners": ActiveLearner(LogisticRegression(C=2.0), Entropy())},
            r"learners\.learner\.estimator\.C is 1\.0; in this call it is 2\.0",
        ),
        (
            {"learners": ActiveLearner(LogisticRegression(), RandomSampling())},
            r"learners\.learner\.strategy\.class is skal\..*Entropy; .*RandomSampling",
        ),
        ({"datasets": of_size(150)}, r"datasets\.dataset"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_another_configuration_is_refused(data, tmp_path, changes, where):
    call = {"learners": LEARNERS["entropy"], "datasets": data, **SHORT, "seeds": 1}
    simulate(**call, folder=tmp_path)
    before = run_files(tmp_path)
    with pytest.raises(ValueError, match=where):
        simulate(**call | changes, folder=tmp_path)
    assert run_files(tmp_path) == before
    simulate(**call, folder=tmp_path)


def test_other_data_of_the_same_shape_are_refused(data, tmp_path):
    X, y, X_test, y_test = data
    simulate(LEARNERS, data, **SHORT, folder=tmp_path)
    for other in ((X, y, X_test + 1, y_test), (X, np.roll(y, 1), X_test, y_test)):
        with pytest.raises(ValueError, match=r"datasets\.dataset\.content"):
            simulate(LEARNERS, other, **SHORT, folder=tmp_path)


def test_another_version_is_refused(data, tmp_path, monkeypatch):
    simulate(LEARNERS, data, **SHORT, folder=tmp_path)
    monkeypatch.setattr(skal, "__version__", "99.0", raising=False)
    with pytest.raises(ValueError, match=r"skal is .*; in this call it is 99\.0"):
        simulate(LEARNERS, data, **SHORT, folder=tmp_path)


def test_a_folder_of_something_else_is_refused(data, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="holds other files"):
        simulate(LEARNERS, data, **SHORT, folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_full_disk(data, expected, tmp_path, monkeypatch):
    """Room for all but the last run, then for none at all."""
    fsync, room = os.fsync, []

    def full(descriptor):
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        room.pop()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    n_inputs = 5  # description, protocol, two learners, data
    for n_files in (2, n_inputs - 1, n_inputs + 3):
        room[:] = [None] * n_files
        with pytest.raises(OSError, match="No space left on device") as caught:
            simulate(LEARNERS, data, **SHORT, folder=tmp_path)
        assert caught.value.errno == errno.ENOSPC
        assert "Make room" in str(caught.value)
        assert str(tmp_path) in str(caught.value)
        assert not unfinished(tmp_path)
    before = run_files(tmp_path)
    assert len(before) == 3
    monkeypatch.undo()
    table = simulate(LEARNERS, data, **SHORT, folder=tmp_path)
    assert without_seconds(table).equals(expected)
    assert before.items() <= run_files(tmp_path).items()


def test_a_worker_that_does_not_see_the_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="Every worker must see the folder"):
        run_task(str(tmp_path / "elsewhere"), "learner", "dataset", 0)


class PressesCtrlC(LogisticRegression):
    """Ctrl-C comes in the fit number `at` of this process."""

    fits, at = 0, 5

    def fit(self, X, y):
        PressesCtrlC.fits += 1
        if PressesCtrlC.fits == PressesCtrlC.at:
            os.kill(os.getpid(), signal.SIGINT)
        return super().fit(X, y)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("n_calls", [0, 1, 2])
@pytest.mark.parametrize(("owner", "name"), [(Path, "mkdir"), (os, "replace")])
def test_killed_before_the_folder_is_complete(
    data, expected, tmp_path, monkeypatch, owner, name, n_calls
):
    real, left = getattr(owner, name), [None] * n_calls

    def dies(*args, **options):
        if not left:
            raise Killed
        left.pop()
        return real(*args, **options)

    monkeypatch.setattr(owner, name, dies)
    with pytest.raises(Killed):
        simulate(LEARNERS, data, **SHORT, folder=tmp_path / "folder")
    monkeypatch.undo()
    table = simulate(LEARNERS, data, **SHORT, folder=tmp_path / "folder")
    assert without_seconds(table).equals(expected)


def test_ctrl_c_and_resume(data, expected, tmp_path):
    learners = {
        name: ActiveLearner(PressesCtrlC(), learner.strategy)
        for name, learner in LEARNERS.items()
    }
    PressesCtrlC.fits = 0
    with pytest.raises(KeyboardInterrupt):
        simulate(learners, data, **SHORT, folder=tmp_path)
    before = run_files(tmp_path)
    assert len(before) == 1  # of three fits
    assert not unfinished(tmp_path)
    table = simulate(learners, data, **SHORT, folder=tmp_path)
    assert without_seconds(table).equals(expected)
    assert before.items() <= run_files(tmp_path).items()


def test_stale_leftovers_are_removed_and_never_read(data, expected, tmp_path):
    simulate(LEARNERS, data, **SHORT, folder=tmp_path)
    old, new = tmp_path / "runs" / "old.tmp", tmp_path / "inputs" / "new.tmp"
    for path in (old, new):
        path.write_bytes(b"half of a r")
    os.utime(old, (time.time() - 1e6,) * 2)
    table = simulate(LEARNERS, data, **SHORT, folder=tmp_path)
    assert without_seconds(table).equals(expected)
    assert unfinished(tmp_path) == [new]


SCRIPT = """
    import sys, time
    import torch  # which every run does: the time until "go" is not that of the runs
    from sklearn.datasets import make_blobs
    from sklearn.linear_model import LogisticRegression
    from skal import ActiveLearner, simulate
    from skal.filters import AnchorAL
    from skal.strategies import Entropy, RandomSampling

    class Slow(LogisticRegression):
        def fit(self, X, y):
            time.sleep(0.05)
            return super().fit(X, y)

    X, y = make_blobs(300, centers=3, cluster_std=2.0, random_state=0)
    learners = {
        "entropy": ActiveLearner(Slow(), Entropy()),
        "anchoral": ActiveLearner(Slow(), AnchorAL()),
        "random": ActiveLearner(Slow(), RandomSampling()),
    }
    if __name__ == "__main__":
        print("go", flush=True)
        simulate(learners, (X[:200], y[:200], X[200:], y[200:]), n_rounds=5,
                 n_queries=10, seeds=5, folder=sys.argv[1], n_jobs=int(sys.argv[2]))
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(SCRIPT))
    return path


def start(script, folder, n_jobs=1, **options):
    """The script as a process, which has done its imports."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", script, folder, str(n_jobs)],
        stdout=subprocess.PIPE,
        **options,
    )
    with process.stdout as stdout:
        assert stdout.readline() == b"go\n"
    return process


def stored_table(folder):
    return without_seconds(pd.read_json(folder / "table.jsonl", lines=True))


def n_finished(folder):
    return len(list((folder / "runs").glob("*.jsonl")))


@pytest.mark.slow
def test_killed_at_five_random_moments(script, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(script, whole).wait() == 0
    moments = random.Random()
    for n_more in moments.sample([0, 0, 1, 1, 1], 5):
        n_before = n_finished(killed)
        process = start(script, killed)
        while n_finished(killed) < n_before + n_more:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.3))  # a run takes at least that long
        process.kill()
        assert process.wait() == -signal.SIGKILL
        assert n_before + n_more <= n_finished(killed) <= n_before + n_more + 1
        assert not (killed / "table.jsonl").exists()
    assert 3 <= n_finished(killed) <= 8
    assert start(script, killed).wait() == 0
    assert stored_table(killed).equals(stored_table(whole))
    assert len(stored_table(whole)) == 3 * 5 * 6


@pytest.mark.slow
def test_ctrl_c_stops_all_processes(script, tmp_path):
    process = start(script, tmp_path / "folder", n_jobs=2)
    runs = tmp_path / "folder" / "runs"
    while not list(runs.glob("*.jsonl")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == -signal.SIGINT
    time.sleep(1)
    before = run_files(tmp_path / "folder")
    assert 0 < len(before) < 15
    time.sleep(1)
    assert run_files(tmp_path / "folder") == before, "a worker went on"
    assert start(script, tmp_path / "folder").wait() == 0
    assert before.items() <= run_files(tmp_path / "folder").items()


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc"), reason="finds the workers in /proc")
def test_a_worker_dies(script, tmp_path):
    folder = tmp_path / "folder"
    process = start(script, folder, n_jobs=2, stderr=subprocess.PIPE)
    while not list((folder / "runs").glob("*.jsonl")):
        assert process.poll() is None
        time.sleep(0.05)
    proc = Path("/proc")
    children = proc / f"{process.pid}/task/{process.pid}/children"
    workers = [
        int(pid)
        for pid in children.read_text().split()
        if "popen_loky" in (proc / pid / "cmdline").read_text()
    ]
    os.kill(workers[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert b"TerminatedWorkerError" in errors
    before = run_files(folder)
    assert 0 < len(before) < 15
    assert start(script, folder).wait() == 0
    assert before.items() <= run_files(folder).items()
    assert len(stored_table(folder)) == 3 * 5 * 6
