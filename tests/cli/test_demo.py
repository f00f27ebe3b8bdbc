# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging
from typer.testing import CliRunner

from skal.cli._app import app
from skal.cli._checkpoint import build_checkpoint, one_thread
from skal.cli._demo import Point, _conclude, run_demo
from skal.cli._screen import Screen, quiet_transformers, save_figure
from skal.cli._task import BalancedClassifier, split

TEXTS = [
    f"The {noun} of the {thing} is {adjective} and it is {adjective}."
    for noun in ("row", "column", "value", "shape", "mean")
    for thing in ("matrix", "array", "graph", "tree")
    for adjective in ("sparse", "dense", "large", "small", "empty", "full")
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    return build_checkpoint(TEXTS * 3, folder, vocab_size=300)


def test_the_checkpoint_can_be_loaded(checkpoint):
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModel.from_pretrained(checkpoint)
    tokens = tokenizer("the mean of the matrix")
    assert tokenizer.unk_token_id not in tokens["input_ids"]
    assert tokenizer.convert_ids_to_tokens(tokens["input_ids"])[0] == "[CLS]"
    assert model.config.hidden_size == 128
    assert model.config.vocab_size == len(tokenizer)


def test_words_in_the_same_contexts_have_similar_vectors(checkpoint):
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    vectors = AutoModel.from_pretrained(checkpoint).get_input_embeddings().weight

    def cosine(left, right):
        ids = tokenizer.convert_tokens_to_ids([left, right])
        return torch.nn.functional.cosine_similarity(*vectors[ids], dim=0)

    assert cosine("matrix", "graph") > cosine("matrix", "the")
    assert cosine("sparse", "dense") > cosine("sparse", "of")


def test_the_checkpoint_depends_on_its_seed_alone(checkpoint, tmp_path):
    state = torch.get_rng_state()
    build_checkpoint(TEXTS * 3, tmp_path, vocab_size=300)
    assert torch.equal(torch.get_rng_state(), state)
    weights = "model.safetensors"
    assert (tmp_path / weights).read_bytes() == (
        Path(checkpoint) / weights
    ).read_bytes()


def test_the_checkpoint_is_the_same_in_another_process(tmp_path):
    code = (
        "import hashlib, pathlib, sys; "
        "from skal.cli._checkpoint import build_checkpoint; "
        "texts = [f'The {a}s of a {b} are {a}ing.' for a in ('row', 'mean', 'walk') "
        "for b in ('tree', 'graph')] * 3; "
        "build_checkpoint(texts, sys.argv[1], vocab_size=80); "
        "print([hashlib.sha256((pathlib.Path(sys.argv[1]) / name).read_bytes())"
        ".hexdigest() for name in ('model.safetensors', 'tokenizer.json')])"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / seed)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.splitlines()[-1]
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]


def test_unknown_words_are_cut_into_pieces(checkpoint):
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    assert tokenizer.tokenize("Matrix") == ["matrix"]
    pieces = tokenizer.tokenize("matrixes")
    assert pieces[0] == "matrix"
    assert tokenizer.unk_token not in pieces
    assert len(tokenizer) <= 300


def test_the_word_vectors_reach_the_mean_of_a_text(checkpoint):
    bert = AutoModel.from_pretrained(checkpoint)
    (layer,) = bert.encoder.layer
    eye = torch.eye(bert.config.hidden_size)
    assert torch.equal(layer.attention.self.value.weight, eye)
    assert torch.equal(layer.attention.output.dense.weight, eye)
    assert not bert.embeddings.position_embeddings.weight.any()


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


def make_curves(active, random):
    """Curves of two rounds; an argument is (found, F1) at the end."""
    return {
        name: [Point(100, 0, 0.1, 0.0, 1.0), Point(150, *end, 1.0, 1.0)]
        for name, end in (("AnchorAL", active), ("random", random))
    }


@pytest.mark.parametrize(
    ("active", "random", "verdict"),
    [
        ((9, 0.5), (1, 0.2), "beat random picking on both counts"),
        ((9, 0.1), (1, 0.2), "beat random picking on one of the two counts only"),
        ((1, 0.1), (1, 0.2), "did not beat random picking on either count"),
    ],
)
def test_the_conclusion_hides_no_loss(active, random, verdict):
    text = _conclude(make_curves(active, random), 20, 7)
    assert f"AnchorAL {verdict}.\n" in text
    assert f"found {active[0]} and random picking {random[0]}." in text
    assert "one seed (7)" in text


def test_the_table_fits_80_columns():
    console = Console(width=80, record=True, file=io.StringIO())
    curves = make_curves((99, 0.999), (99, 0.999))
    with Screen(console).table(curves, 2) as update:
        update()
    text = console.export_text()
    assert "…" not in text
    assert text.count("AnchorAL") == text.count("random") == 1
    row = next(line for line in text.splitlines() if line.split()[:1] == ["150"])
    assert row.split() == ["150"] + ["99", "0.999", "1.0", "1.0"] * 2
    assert text.endswith("\n")


def test_the_figure_is_a_picture(tmp_path):
    curves = make_curves((9, 0.5), (1, 0.2))
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


@pytest.mark.slow
def test_quick_demo(tmp_path):
    result = CliRunner().invoke(
        app, ["demo", "--quick", "--output", str(tmp_path)], env={"COLUMNS": "80"}
    )
    assert result.exit_code == 0, result.output
    assert (tmp_path / "learning_curve.png").stat().st_size > 10_000
    assert "Picture saved to" in result.output
    assert "random picking" in result.output
    assert "200" in result.output  # labels after the second round


@pytest.mark.slow
def test_curves_share_the_seed_and_are_the_same_again(tmp_path):
    runs = [run_demo(1, 20, 0, tmp_path) for _ in range(2)]
    active, random = runs[0].values()
    assert active[0][:3] == random[0][:3]
    assert active[1][:3] != random[1][:3]
    assert [point.n_labels for point in active] == [100, 120]
    for name, curve in runs[0].items():
        assert [p[:3] for p in curve] == [p[:3] for p in runs[1][name]]
