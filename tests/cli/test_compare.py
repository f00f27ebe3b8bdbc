# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""skal simulate and skal compare, on real sentences."""

import csv
import json
import os
import resource
import signal
import time

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

import skal
from skal import ActiveLearner, simulate
from skal.cli._curves import draw_curves
from skal.cli._lsa import LSA
from skal.cli._means import summarize
from skal.cli._names import make_classifier, make_learner
from skal.metrics import learning_curve_auc
from skal.strategies import Entropy

SHORT = ["--rounds", 2, "-n", 10, "--seeds", 2]

CONFIG = """\
strategies = ["Entropy", "random", {name = "REAL", n_clusters = 5}]
filters = ["none", {name = "AnchorAL", max_subpool = 60}]
rounds = 2
n_queries = 10
seeds = 2
scoring = "accuracy"
output = "results"

[data.one]
path = "one.csv"
test_share = 0.5

[data.two]
path = "two"
text = "body"
label = "kind"
"""


def read(folder):
    lines = (folder / "table.jsonl").read_text().splitlines()
    frame = pd.DataFrame([json.loads(line) for line in lines])
    frame = frame.drop(columns=[name for name in frame if name.endswith("_time")])
    return frame.assign(rows=[tuple(rows) for rows in frame["rows"]])


@pytest.fixture
def config(write, frame, tmp_path):
    """A configuration file, a CSV file and a folder of Parquet files."""
    write("one.csv", slice(200), ["text", "label"])
    (tmp_path / "two").mkdir()
    renamed = frame.rename(columns={"text": "body", "label": "kind"})
    renamed[200:350].to_parquet(tmp_path / "two" / "train.parquet")
    known = renamed[renamed["kind"].isin(renamed["kind"][200:350])]
    known[350:].to_parquet(tmp_path / "two" / "test.parquet")
    path = tmp_path / "compare.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def train(write):
    return write("train.csv", slice(300), ["text", "label"])


def test_compare_as_a_user_would(config, start, tmp_path):
    process = start("compare", config, cwd="/", env=os.environ | {"COLUMNS": "90"})
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    assert errors == ""  # no bar, for it is no terminal
    folder = tmp_path / "results"
    assert f"In {folder}: " in out
    assert "AnchorAL(REAL(n_clusters=5), max_subpool=60)" in out
    table = read(folder)
    assert len(table) == 2 * 6 * 2 * 3
    assert set(table["dataset"]) == {"one", "two"}
    filtered = table["learner"].str.contains("AnchorAL") & (table["round"] > 0)
    assert (table["n_subpool"][filtered] <= 60).all()
    with open(folder / "summary.csv", newline="") as file:
        summary = list(csv.DictReader(file))
    assert [line["dataset"] for line in summary] == ["one"] * 6 + ["two"] * 6
    mine = table[(table["dataset"] == "one") & (table["learner"] == "Entropy")]
    heights = [
        learning_curve_auc(run["test_accuracy"].tolist(), normalize=True)
        for _, run in mine.groupby("seed")
    ]
    assert float(summary[0]["accuracy_curve"]) == pytest.approx(np.mean(heights))
    std = float(summary[0]["accuracy_curve_std"])
    assert std == pytest.approx(np.std(heights, ddof=1))
    picture = (folder / "learning_curves.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000


def test_simulate_is_simulate(train, frame, tmp_path, invoke, write):
    test = write("test.jsonl", slice(300, 400), ["text", "label"])
    folder = tmp_path / "out"
    names = ["--strategy", "entropy", "--strategy", "random-sampling", "--test", test]
    result = invoke("simulate", train, *names, *SHORT, "-o", folder)
    assert result.exit_code == 0, result.output
    X, y = frame["text"].tolist(), frame["label"].to_numpy()
    learners = dict(make_learner(s, "none", "tfidf") for s in ("Entropy", "random"))
    data = {"train": (X[:300], y[:300], X[300:400], y[300:400])}
    scoring = ["accuracy", "f1_macro"]
    table = simulate(learners, data, n_rounds=2, n_queries=10, seeds=2, scoring=scoring)
    stored = read(folder)
    assert stored["learner"].tolist() == table.learner.tolist()
    assert stored["rows"].tolist() == [tuple(rows) for rows in table.rows]
    assert stored["test_f1_macro"].tolist() == table.test_f1_macro.tolist()


@pytest.mark.filterwarnings("default::skal.exceptions.TruncationWarning")
def test_a_transformer_from_its_folder(train, tiny_checkpoint, tmp_path, invoke):
    folder = tmp_path / "out"
    arguments = ["--rounds", 1, "-n", 8, "--seeds", 1, "-o", folder]
    arguments += ["--strategy", "badge", "--filter", "seals", "--scoring", "accuracy"]
    result = invoke("simulate", train, "--model", tiny_checkpoint, *arguments)
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("Warning: ")
    assert "texts were cut to 64 tokens" in result.stderr
    assert read(folder)["learner"].unique().tolist() == ["SEALS(BADGE)"]
    assert tiny_checkpoint in (folder / "simulation.json").read_text()


def test_rows_set_apart_depend_on_the_file_alone(train, tmp_path, invoke):
    for name in "ab":
        arguments = [*SHORT, "--strategy", "random", "-o", tmp_path / name]
        assert invoke("simulate", train, *arguments).exit_code == 0
    assert read(tmp_path / "a").equals(read(tmp_path / "b"))


def test_numbers_are_labels_too(tmp_path, invoke, frame):
    first = frame["label"][0]
    frame = frame.assign(label=(frame["label"] == first).astype(int))[:200]
    frame.to_csv(tmp_path / "t.csv")
    (tmp_path / "c.toml").write_text(
        'strategies = "random"\nscoring = "f1"\nrounds = 0\ninitial = {0 = 9, 1 = 3}\n'
        '[data.t]\npath = "t.csv"\n'
    )
    result = invoke("compare", tmp_path / "c.toml")
    assert result.exit_code == 0, result.output
    table = read(tmp_path / "skal-results")
    assert table["n_labeled"].tolist() == [12] * 5
    assert np.isfinite(table["test_f1"]).all()


def test_options_take_the_place_of_what_the_file_says(config, tmp_path, invoke):
    text = CONFIG.replace('"random", {name = "REAL", n_clusters = 5}', "")
    config.write_text(text.replace("rounds = 2", "rounds = 0"))
    result = invoke("compare", config, "-o", tmp_path / "other", "--jobs", 1)
    assert result.exit_code == 0, result.output
    assert not (tmp_path / "results").exists()
    assert len(read(tmp_path / "other")) == 2 * 2 * 2


def test_what_is_done_is_not_done_again(train, tmp_path, invoke):
    arguments = ["simulate", train, *SHORT, "-o", tmp_path / "out"]
    assert invoke(*arguments, "--strategy", "random").exit_code == 0
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "runs").iterdir()}
    result = invoke(*arguments, "--strategy", "random", "--strategy", "margin")
    assert result.exit_code == 0
    after = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "runs").iterdir()}
    assert before.items() < after.items()


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["--text", "txt"], ["no column 'txt' (--text). It has 'text', 'label'. Did"]),
        (["--label", "kind"], ["no column 'kind' (--label). It has 'text', 'label'"]),
        (["--strategy", "?"], ["no strategy '?'. There are ALPS, BADGE, "]),
        (["--filter", "anchor"], ["Did you mean 'AnchorAL'?", "SEALS", "none"]),
        (["--scoring", "acuracy"], ["Did you mean 'accuracy'?"]),
        (["--strategy", "cartography-al"], ["skal.TransformerClassifier"]),
        (["--test", "no.csv"], ["There is no file no.csv"]),
    ],
)
def test_what_was_typed_wrongly(train, tmp_path, invoke, fails, arguments, messages):
    folder = tmp_path / "out"
    fails(invoke("simulate", train, *arguments, "-o", folder), 2, *messages)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        ("text,label\n", ["holds no rows"]),
        ("text,label\na,x\nb,\n", ["line 3: every row must have a label"]),
        ("text,label\na,x\nb,x\n", ["at least two labels", "holds 'x' only"]),
        ("text,label\na,x\nb\n", ["line 3", "Got 1 fields"]),
    ],
)
def test_bad_data(tmp_path, invoke, fails, content, messages):
    path, folder = tmp_path / "bad.csv", tmp_path / "out"
    path.write_text(content)
    fails(invoke("simulate", path, "-o", folder), 1, "bad.csv", *messages)
    assert not folder.exists()


def test_labels_that_only_the_test_rows_have(train, tmp_path, invoke, fails):
    test = tmp_path / "test.csv"
    test.write_text("text,label\na,strange\n")
    result = invoke("simulate", train, "--test", test, "-o", tmp_path / "out")
    fails(result, 1, "has labels that", "'strange'")


def test_a_folder_without_its_files(tmp_path, invoke, fails):
    (tmp_path / "empty").mkdir()
    result = invoke("simulate", tmp_path / "empty", "-o", tmp_path / "out")
    fails(result, 2, "must hold one file train", "holds none")


def test_no_such_model(train, tmp_path, invoke, fails):
    result = invoke("simulate", train, "--model", "no/such", "-o", tmp_path / "out")
    fails(result, 1, "no/such")
    assert not (tmp_path / "out").exists()


def test_another_configuration_or_version(train, tmp_path, invoke, fails, monkeypatch):
    folder = tmp_path / "out"
    arguments = ["simulate", train, *SHORT, "--strategy", "random", "-o", folder]
    assert invoke(*arguments).exit_code == 0
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    fails(invoke(*arguments, "--rounds", 3), 1, "n_rounds is 2; in this call it is 3")
    monkeypatch.setattr(skal, "__version__", "99.0", raising=False)
    fails(invoke(*arguments), 1, "in this call it is 99.0", "another folder")
    assert before == {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_of_something_else(train, tmp_path, invoke, fails):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "thesis.tex").touch()
    fails(invoke("simulate", train, *SHORT, "-o", folder), 1, "holds other files")


@pytest.mark.parametrize("n_bytes", [100, 20_000])
def test_no_room(train, tmp_path, start, n_bytes):
    """The system refuses what goes beyond a size, as a full disk does."""
    folder = tmp_path / "out"
    process = start(
        *("simulate", train, *SHORT, "--strategy", "random", "-o", folder),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes,) * 2),
    )
    _, errors = process.communicate()
    assert process.returncode == 1
    assert errors.count("\n") == 1
    assert errors.startswith(f"Error: Results cannot be written to {folder} (File too")
    written = [p for p in folder.rglob("*") if p.is_file()]
    assert not [p for p in written if p.suffix == ".tmp" or p.stat().st_size == n_bytes]


def test_the_lsa_changes_no_probability_of_few_rows(frame):
    X, y = frame["text"].tolist(), frame["label"].tolist()
    regression = LogisticRegression(C=10.0, class_weight="balanced", max_iter=1000)
    plain = make_pipeline(TfidfVectorizer(sublinear_tf=True), regression)
    learnt = make_classifier("tfidf").set_params(lsa__random_state=0)
    for classifier in (plain, learnt):
        classifier.set_params(logisticregression__tol=1e-8).fit(X[:150], y[:150])
    expected, got = (c.predict_proba(X[150:]) for c in (plain, learnt))
    np.testing.assert_allclose(got, expected, atol=1e-4)
    assert learnt[:-1].transform(X[:1]).shape == (1, 150)
    assert LSA(3).fit_transform(np.eye(2)).shape == (2, 2)


def test_a_rare_label_is_predicted():
    """As it would not be with all rows of one weight."""
    X = [
        f"{word} {i}{i} so it is"
        for i in range(30)
        for word in ["cheap"] * 9 + ["dear"]
    ]
    y = ["common" if "cheap" in text else "rare" for text in X]
    classifier = make_classifier("tfidf").set_params(lsa__random_state=0)
    assert classifier.fit(X[:40], y[:40]).predict(["dear 77 so it is"]) == ["rare"]


def test_parameters_reach_the_classifier():
    model = {"name": "tfidf", "logisticregression__C": 5.0}
    assert make_classifier(model)[-1].C == 5.0
    model = {"name": "skal-tiny", "max_epochs": 2}
    assert make_classifier(model).get_params()["max_epochs"] == 2
    assert make_classifier("skal-tiny").lr == 1e-3


def test_the_summary_of_runs_that_cannot_be_summed_up():
    scores = np.array([0.5, 0.7, np.nan, 0.3])
    zeros = {f"{kind}_time": np.zeros(4) for kind in ("fit", "score")}
    table = Bunch(
        learner=np.array(["a", "a", "b", "b"]),
        dataset=np.repeat("d", 4),
        seed=np.zeros(4, dtype=int),
        round=np.array([0, 1, 0, 1]),
        n_labeled=np.array([5, 10, 5, 10]),
        test_score=scores,
        **zeros,
    )
    means = summarize(table)
    assert means["score_curve"] == [
        pytest.approx(0.6),
        pytest.approx(np.nan, nan_ok=True),
    ]
    assert np.isnan(means["score_curve_std"]).all()
    assert means["score_last"] == [0.7, 0.3]
    assert draw_curves(table).startswith(b"\x89PNG")


def test_runs_of_different_lengths_are_drawn():
    learner = ActiveLearner(make_pipeline(TfidfVectorizer(), LogisticRegression()))
    X = [f"{word} {i}{i}" for i in range(10) for word in ("good", "bad")]
    data = X, [0, 1] * 10, X, [0, 1] * 10
    learner.set_params(strategy=Entropy())
    table = simulate(
        learner, data, n_rounds=9, n_queries=5, initial={0: 2, 1: 2}, seeds=2
    )
    assert draw_curves(table).startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c(config, tmp_path, start, wait_for, jobs):
    folder = tmp_path / "results"
    process = start("compare", config, "--jobs", jobs)
    wait_for(process, folder, 2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors.endswith("Stopped by Ctrl-C.\n")
    assert "Traceback" not in errors
    n_runs = len(list((folder / "runs").glob("*.jsonl")))
    assert 2 <= n_runs < 24
    process = start("compare", config)
    assert process.communicate()[1] == ""
    assert process.returncode == 0
    assert len(read(folder)) == 2 * 6 * 2 * 3


@pytest.mark.slow
def test_killed_at_five_moments(config, tmp_path, start, wait_for):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    with start("compare", config, "-o", whole) as process:
        assert process.communicate()[1] == ""
    for n_runs in (0, 1, 4, 9, 15):
        with start("compare", config, "-o", killed) as process:
            if n_runs:
                wait_for(process, killed, n_runs)
            else:  # while it writes what is compared
                while not killed.is_dir():
                    time.sleep(0.001)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        done = len(list((killed / "runs").glob("*.jsonl")))
        assert n_runs <= done <= n_runs + 3
        assert not (killed / "table.jsonl").exists()
    process = start("compare", config, "-o", killed)
    assert process.communicate()[1] == ""
    assert process.returncode == 0
    assert read(killed).equals(read(whole))
    seconds = [(f / "summary.csv").read_text().splitlines() for f in (killed, whole)]
    first, second = ([line.rpartition(",")[0] for line in lines] for lines in seconds)
    assert first == second
    assert json.loads((killed / "simulation.json").read_text())["skal"]
