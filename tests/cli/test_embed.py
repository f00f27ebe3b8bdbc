# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""skal embed and skal index: vectors from the shell."""

import json
import os
import re
import signal
import time

import numpy as np
import pytest

from skal.text import SentenceEncoder, StoredEncoder, embed, load_vectors
from skal.utils import NeighborIndex, ShardedIndex


@pytest.fixture
def run(invoke, tiny_checkpoint):
    """Runs skal embed with a small model, in shards of 50."""

    def run(path, output, *options, model=tiny_checkpoint):
        settings = ["--model", model, "--shard-rows", 50, "--max-length", 64]
        return invoke("embed", path, "-o", output, *settings, *options)

    return run


@pytest.fixture
def texts(write):
    return write("texts.jsonl", slice(120), ["text", "label"])


def test_the_vectors_of_a_file(run, texts, frame, tiny_checkpoint, tmp_path):
    output = tmp_path / "store"
    result = run(texts, output)
    assert result.exit_code == 0, result.output
    assert "120 vectors of 32 numbers, float32. Shards: 3, of which 3" in result.stdout
    vectors, X = load_vectors(output), frame["text"][:120].tolist()
    encoder = SentenceEncoder(tiny_checkpoint, max_length=64)
    np.testing.assert_allclose(vectors, encoder.fit().transform(X), atol=1e-6)
    found = StoredEncoder(encoder, output, shard_rows=50).fit(X).transform(X)
    assert found.filename == vectors.filename
    assert "3, of which 0 were computed and 3 found" in run(texts, output).stdout


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_other_files_columns_and_settings(run, frame, tmp_path, ending):
    path = tmp_path / f"texts.{ending}"
    part = frame[["text"]][:60].rename(columns={"text": "body"})
    to_file = part.to_csv if ending == "csv" else part.to_parquet
    to_file(path, index=False)
    options = ["--text", "body", "--dtype", "float16", "--pooling", "cls"]
    result = run(path, tmp_path / "store", *options, "--max-length", 20)
    assert result.exit_code == 0, result.output
    assert load_vectors(tmp_path / "store").dtype == np.float16
    more = run(path, tmp_path / "store", *options, "--max-length", 20, "--jobs", 1)
    assert "2, of which 0 were computed" in more.stdout


def test_texts_that_were_added(run, write, tmp_path):
    output = tmp_path / "store"
    run(write("texts.csv", slice(120), ["text"]), output)
    result = run(write("texts.csv", slice(170), ["text"]), output)
    assert "4, of which 2 were computed and 2 found" in result.stdout


def test_a_store_of_something_else(run, fails, texts, write, tmp_path):
    output = tmp_path / "store"
    run(texts, output)
    files = {path: path.read_bytes() for path in output.iterdir()}
    fails(run(texts, output, "--dtype", "float16"), 1, "dtype is float32", "overwrite")
    fails(run(texts, output, model="skal-tiny"), 1, "encoder is SentenceEncoder(")
    other = write("other.csv", slice(200, 230), ["text"])
    fails(run(other, output), 1, "120 other texts")
    assert {path: path.read_bytes() for path in output.iterdir()} == files
    result = run(other, output, "--overwrite")
    assert "30 vectors" in result.stdout


def test_errors(run, fails, invoke, texts, tmp_path, monkeypatch):
    output = tmp_path / "store"
    fails(run(tmp_path / "nothing.csv", output), 2, "There is no file")
    fails(run(texts, output, "--text", "txt"), 2, "Did you mean 'text'?")
    fails(run(texts, output, model="tfidf"), 2, "--model takes a transformer")
    fails(run(texts, output, model="no/such-model"), 1, "no/such-model")
    assert run(texts, output, "--dtype", "int8").exit_code == 2
    fails(run(texts, tmp_path), 1, "holds something else")
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    fails(run(texts, output, "--dask", "tcp://nowhere:1"), 1, "'skal[dask]'")
    fails(invoke("index", output, "-o", tmp_path / "index"), 1, "embed was given")
    assert not output.exists()


def test_a_row_without_a_text_is_named(run, fails, tmp_path):
    path = tmp_path / "texts.jsonl"
    lines = [{"text": "a"}, {"text": None}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    fails(run(path, tmp_path / "store"), 1, "line 2", "must hold texts")


@pytest.mark.filterwarnings("default")
def test_a_truncated_array_is_mended(run, texts, fails, invoke, tmp_path):
    output = tmp_path / "store"
    run(texts, output)
    path = next(output.glob("vectors-*.npy"))
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    fails(invoke("index", output, "-o", tmp_path / "index"), 1, "cut short")
    result = run(texts, output)
    assert "Warning: 1 shard of vectors" in result.stderr
    assert "3, of which 1 were computed and 2 found" in result.stdout
    assert path.read_bytes() == content


@pytest.mark.parametrize("kind", ["auto", "exact", "hnsw", "ivf", "ivf_pq"])
def test_an_index(run, invoke, texts, tmp_path, kind):
    store, output = tmp_path / "store", tmp_path / "index"
    run(texts, store)
    result = invoke("index", store, "-o", output, "--kind", kind, "--recall")
    assert result.exit_code == 0, result.output
    loaded = NeighborIndex.load(output)
    assert f"120 vectors, {loaded.kind}, recall " in result.stdout
    assert not list(output.glob("*vectors.npy"))  # they stay where they are
    vectors = load_vectors(store)
    expected = NeighborIndex(vectors, kind).search(vectors[:5], 3)
    for found, wanted in zip(loaded.search(vectors[:5], 3), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_an_index_in_shards(run, invoke, fails, texts, tmp_path):
    store, output = tmp_path / "store", tmp_path / "index"
    run(texts, store)
    options = ["--kind", "exact", "--shards", 3]
    result = invoke("index", store, "-o", output, *options)
    assert result.exit_code == 0, result.output
    shards = [NeighborIndex.load(path) for path in sorted(output.iterdir())]
    assert [len(shard) for shard in shards] == [40, 40, 40]
    vectors = load_vectors(store)
    expected = NeighborIndex(vectors).search(vectors[:5], 30)
    found = ShardedIndex(shards).search(vectors[:5], 30)
    np.testing.assert_array_equal(found[0], expected[0])
    fails(invoke("index", store, "-o", output, "--shards", 121), 2, "at most")


def killed(process, folder, n_shards):
    """Kill the process once there are so many shards; return how many there were."""
    shards = folder / "shards"
    while len(list(shards.glob("*.npy")) if shards.is_dir() else ()) < n_shards:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return len(list(shards.glob("*.npy")))


@pytest.mark.slow
def test_killed_twice(start, write, frame, tmp_path):
    texts = write("texts.csv", slice(500), ["text"])
    output, rows = tmp_path / "store", ["--shard-rows", 20]
    first = killed(start("embed", texts, "-o", output, *rows), output, 4)
    second = killed(start("embed", texts, "-o", output, *rows), output, first + 4)
    process = start("embed", texts, "-o", output, *rows)
    printed, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    counts = re.search(r"Shards: (\d+), of which (\d+) were", printed).groups()
    assert 4 <= first < second < 25
    assert list(map(int, counts)) == [25, 25 - second]
    vectors = embed(
        frame["text"].tolist(),
        SentenceEncoder("skal-tiny"),
        tmp_path / "b",
        shard_rows=20,
    )
    stored = load_vectors(output, verify=True)
    np.testing.assert_array_equal(stored, vectors)
    assert len(list(output.iterdir())) == 3
