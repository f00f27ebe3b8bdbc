# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging
from typer.testing import CliRunner

from skal.cli._app import app
from skal.cli._checkpoint import build_checkpoint, one_thread
from skal.cli._demo import Point, _split, run_demo
from skal.cli._screen import quiet_transformers, save_figure

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


def test_the_split_is_a_partition_and_seeds_every_class():
    y = np.repeat([0, 1, 2], [200, 80, 20])
    texts = [f"text {i}" for i in range(300)]
    data = _split(texts, y, ["a", "b", "c"], seed=0)
    assert sorted(data.X_seed + data.X_pool + data.X_test) == sorted(texts)
    assert np.bincount(data.y_seed).tolist() == [5, 5, 5]
    label = dict(zip(texts, y, strict=True))
    for X, part in (
        (data.X_seed, data.y_seed),
        (data.X_pool, data.y_pool),
        (data.X_test, data.y_test),
    ):
        assert [label[text] for text in X] == part.tolist()
    assert _split(texts, y, ["a", "b", "c"], seed=0).X_test == data.X_test


def test_the_figure_is_a_picture(tmp_path):
    curve = [Point(10, 0.2, 0.3, 1.0), Point(20, 0.4, 0.5, 1.0)]
    path = save_figure({"active": curve, "random": curve}, tmp_path / "curve.png")
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


@pytest.mark.slow
def test_quick_demo(tmp_path):
    result = CliRunner().invoke(app, ["demo", "--quick", "--output", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "learning_curve.png").stat().st_size > 10_000
    assert "Learning curve saved to" in result.output


@pytest.mark.slow
def test_curves_share_the_seed_and_are_the_same_again(tmp_path):
    runs = [run_demo(1, 20, 0, tmp_path, quick=True) for _ in range(2)]
    active, random = runs[0].values()
    assert active[0][:3] == random[0][:3]
    assert active[1][:3] != random[1][:3]
    assert [point.n_labels for point in active] == [25, 45]
    for name, curve in runs[0].items():
        assert [p[:3] for p in curve] == [p[:3] for p in runs[1][name]]
