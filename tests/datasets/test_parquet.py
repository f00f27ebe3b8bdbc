# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Benchmark sets from folders of Parquet files and from the hub's library."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skal import ActiveLearner, simulate
from skal.datasets import fetch_benchmark, fetch_hub, load_parquet_folder


@pytest.fixture
def write(tmp_path):
    """A function that writes a folder and returns its path."""

    def write(names=None, columns=("text", "label"), **splits):
        for split, (texts, labels) in splits.items():
            frame = pd.DataFrame({columns[0]: texts, columns[1]: labels, "other": 0.5})
            frame.to_parquet(tmp_path / f"{split}.parquet")
        if names is not None:
            (tmp_path / "labels.json").write_text(json.dumps(names))
        return tmp_path

    return write


TRAIN, TEST = (["a b", "c", "ä"], [2, 0, 1]), (["d"], [1])


def test_labels_that_are_numbers(write):
    bunch = load_parquet_folder(write(["x", "y", "z"], train=TRAIN, test=TEST))
    assert bunch.data == TRAIN[0]
    assert bunch.data_test == TEST[0]
    assert bunch.target.dtype == bunch.target_test.dtype == np.int64
    assert bunch.target.tolist() == TRAIN[1]
    assert bunch.target_test.tolist() == [1]
    assert bunch.target_names == ["x", "y", "z"]
    (write() / "labels.json").unlink()
    assert load_parquet_folder(str(write())).target_names is None


def test_labels_that_are_words(write):
    words = {"train": (["a", "b"], ["spam", "ham"]), "test": (["c"], ["ham"])}
    bunch = load_parquet_folder(write(**words))
    assert bunch.target_names == ["ham", "spam"]
    assert bunch.target.tolist() == [1, 0]
    assert bunch.target_test.tolist() == [0]
    bunch = load_parquet_folder(write(["spam", "ham"]))
    assert bunch.target.tolist() == [0, 1]


def test_other_columns(write):
    columns = ("sentence", "topic")
    folder = write(train=TRAIN, test=TEST, columns=columns)
    options = {"text_column": "sentence", "label_column": "topic"}
    assert load_parquet_folder(folder, **options).data == TRAIN[0]
    message = "no column 'text' and 'label'. It has 'sentence', 'topic', 'other'"
    with pytest.raises(ValueError, match=message):
        load_parquet_folder(folder)


def test_files_that_are_missing(write):
    folder = write(train=TRAIN)
    with pytest.raises(FileNotFoundError, match=r"There is no .*test\.parquet"):
        load_parquet_folder(folder)
    with pytest.raises(FileNotFoundError, match=r"There is no .*train\.parquet"):
        load_parquet_folder(folder / "nowhere")


@pytest.mark.parametrize(
    ("names", "train", "message"),
    [
        (None, (["a", None], [0, 1]), "Row 1 is None"),
        (None, (["a", "b"], ["x", None]), "Row 1 is missing"),
        (["x"], (["a", "b"], [0, 1]), "positions in the list of 1 names. Got 0 to 1"),
        (["x"], (["a", "b"], ["x", "y"]), r"Got \['y'\]; the names are \['x'\]"),
        (None, (["a", "b"], ["x", "y"]), r"Got \['z'\]; the names are \['x', 'y'\]"),
    ],
)
def test_bad_rows(write, names, train, message):
    test = (["d"], ["z"]) if isinstance(train[1][0], str) else (["d"], [0])
    folder = write(names, train=train, test=test)
    with pytest.raises(ValueError, match=message):
        load_parquet_folder(folder)


@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("pyarrow.parquet", lambda folder: load_parquet_folder(folder)),
        ("datasets", lambda folder: fetch_hub(str(folder))),
        ("datasets", lambda folder: fetch_benchmark("trec")),
    ],
)
def test_a_missing_package_is_named(write, monkeypatch, module, call):
    folder = write(train=TRAIN, test=TEST)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'skal\[data\]'"):
        call(folder)


def test_an_unknown_benchmark():
    with pytest.raises(ValueError, match="must be one of agnews, imdb, .* Got 'mnist'"):
        fetch_benchmark("mnist")


def test_the_shared_sets(shared_dir, trec):
    folders = sorted((shared_dir / "data").glob("*/labels.json"))
    assert len(folders) == 9
    for names in folders:
        if names.parent.name not in {"imdb", "sst2"}:  # large
            bunch = load_parquet_folder(names.parent)
            assert bunch.target_names == json.loads(names.read_text())
            assert set(bunch.target) == set(range(len(bunch.target_names)))
    bunch = load_parquet_folder(shared_dir / "data" / "trec")
    X, y, X_test, y_test = trec
    assert (bunch.data, bunch.data_test) == (X, X_test)
    assert np.array_equal(bunch.target, y)
    assert np.array_equal(bunch.target_test, y_test)


def test_simulate_takes_a_folder_a_bunch_and_a_function(shared_dir, tmp_path):
    """The data set by its path, as what is loaded, or by a function that loads it."""
    path = shared_dir / "data" / "sms_spam"
    learner = ActiveLearner(make_pipeline(TfidfVectorizer(), LogisticRegression()))
    datasets = {
        "path": path,
        "text": str(path),
        "bunch": load_parquet_folder(path),
        "function": lambda: load_parquet_folder(path),
    }
    options = {"n_rounds": 2, "n_queries": 20, "initial": {0: 9, 1: 9}, "seeds": 1}
    table = simulate(learner, datasets, **options, folder=tmp_path)
    scores = {tuple(table.test_score[table.dataset == name]) for name in datasets}
    assert len(scores) == 1
    assert min(next(iter(scores))) > 0.5
    sizes = [path.stat().st_size for path in (tmp_path / "inputs").glob("data-path*")]
    assert sizes < [1000], "the rows were copied"


def test_simulate_notices_that_a_folder_has_other_rows(write, tmp_path_factory):
    texts = [f"row {i} is {'good' if i % 2 else 'bad'}" for i in range(40)]
    labels = [i % 2 for i in range(40)]
    folder = write(train=(texts, labels), test=(texts, labels))
    learner = ActiveLearner(make_pipeline(TfidfVectorizer(), LogisticRegression()))
    call = {"learners": learner, "datasets": folder, "n_rounds": 1, "seeds": 1}
    results = tmp_path_factory.mktemp("results")
    simulate(**call, folder=results)
    write(train=(texts[::-1], labels[::-1]))
    with pytest.raises(ValueError, match=r"datasets\.dataset\.train\.parquet"):
        simulate(**call, folder=results)


@pytest.mark.slow
def test_the_library_of_the_hub_on_local_folders(write, shared_dir, tmp_path_factory):
    pytest.importorskip("datasets", reason="the package datasets is not installed")
    columns = ("sentence", "topic")
    folder = write(train=TRAIN, validation=TEST, columns=columns)
    options = {"text_column": "sentence", "label_column": "topic"}
    options |= {"cache_dir": tmp_path_factory.mktemp("cache")}
    bunch = fetch_hub(str(folder), **options, test_split="validation")
    assert bunch.data == TRAIN[0]
    assert bunch.target.tolist() == TRAIN[1]
    assert bunch.data_test == TEST[0]
    with pytest.raises(ValueError, match=r"no split 'test'. It has 'train', 'valid"):
        fetch_hub(str(folder), **options)
    with pytest.raises(ValueError, match="Split 'train' of .* has no column 'text'"):
        fetch_hub(str(folder), test_split="validation", cache_dir=options["cache_dir"])
    trec = shared_dir / "data" / "trec"
    bunch = fetch_hub(str(trec), cache_dir=options["cache_dir"])
    expected = load_parquet_folder(trec)
    assert bunch.data == expected.data
    assert np.array_equal(bunch.target_test, expected.target_test)


@pytest.mark.slow
def test_names_of_labels_in_the_library_of_the_hub(tmp_path):
    datasets = pytest.importorskip(
        "datasets", reason="the package datasets is not installed"
    )
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["n", "p"]),
        }
    )
    for split in ("train", "test"):
        rows = {"text": ["a", "b"], "label": [1, 0]}
        rows = datasets.Dataset.from_dict(rows, features=features)
        rows.to_parquet(tmp_path / "set" / f"{split}.parquet")
    bunch = fetch_hub(str(tmp_path / "set"), cache_dir=tmp_path / "cache")
    assert bunch.target_names == ["n", "p"]
    assert bunch.target.tolist() == [1, 0]
