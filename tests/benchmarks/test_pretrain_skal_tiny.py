# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The script that made skal-tiny, on a corpus of a few sentences."""

import importlib
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module("pretrain_skal_tiny")
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def docstring_corpus(script):
    return sys.modules["docstring_corpus"]


CORPUS = {
    "numpy": [
        [
            f"The {noun} of the {thing} is {adjective}.",
            f"A {adjective} {thing} has a {noun}.",
        ]
        for noun in ("row", "column", "value", "shape", "mean")
        for thing in ("matrix", "array", "graph", "tree")
        for adjective in ("sparse", "dense", "large", "small", "empty", "full")
    ]
}
SENTENCES = [sentence for document in CORPUS["numpy"] for sentence in document]


def test_what_is_held_out_never_changes(docstring_corpus):
    """Whoever measures on held-out sentences relies on it."""
    held_out = [
        i for i in range(60) if docstring_corpus.is_held_out(f"Sentence {i} is this.")
    ]
    assert held_out == [16, 32, 34, 41, 50, 56, 57, 59]
    assert docstring_corpus.is_held_out("sentence, 16: is this")  # only words count
    share = np.mean(
        [docstring_corpus.is_held_out(f"Sentence {i}.") for i in range(2000)]
    )
    assert share == pytest.approx(0.15, abs=0.03)


def test_blocks_are_prose_of_one_indentation(docstring_corpus):
    docstring = """First line,
and the second.

Parameters
----------
n : int
    How many there are,
    in all.
    >>> f(3)
Last.
"""
    assert list(docstring_corpus.blocks(docstring)) == [
        "First line, and the second.",
        "Parameters",
        "n : int",
        "How many there are, in all.",
        "Last.",
    ]


def test_the_vocabulary_is_the_same_in_another_process(script):
    code = (
        f"import sys; sys.path.insert(0, {str(FOLDER)!r}); "
        "import json, pretrain_skal_tiny as p; "
        "print(p.make_tokenizer(json.loads(sys.argv[1])).backend_tokenizer.to_str())"
    )
    output = subprocess.run(
        [sys.executable, "-c", code, json.dumps(SENTENCES)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "1"},
    ).stdout.splitlines()[-1]
    assert output == script.make_tokenizer(SENTENCES).backend_tokenizer.to_str()


def test_unknown_words_are_cut_into_pieces(script):
    tokenizer = script.make_tokenizer(SENTENCES)
    assert tokenizer.tokenize("Matrix") == ["matrix"]
    pieces = tokenizer.tokenize("matrixes")
    assert pieces[0] == "matrix"
    assert tokenizer.unk_token not in pieces
    assert tokenizer.convert_tokens_to_ids(list(script.SPECIAL_TOKENS)) == list(
        range(5)
    )


def test_words_in_the_same_contexts_start_with_similar_vectors(script):
    tokenizer = script.make_tokenizer(SENTENCES)
    vectors = script.word_vectors(script.encode(tokenizer, SENTENCES), seed=0)

    def cosine(left, right):
        ids = tokenizer.convert_tokens_to_ids([left, right])
        return torch.nn.functional.cosine_similarity(*vectors[ids], dim=0)

    assert cosine("matrix", "graph") > cosine("matrix", "the")
    assert cosine("sparse", "dense") > cosine("sparse", "of")


def test_masking_follows_bert(script):
    ids = torch.randint(5, script.VOCAB_SIZE, (400, 100))
    ids[:, 0], ids[:, -1] = script.CLS, script.SEP
    masked, targets = script.mask(ids, torch.Generator().manual_seed(0))
    picked = targets >= 0
    assert not picked[:, [0, -1]].any()
    assert torch.equal(targets[picked], ids[picked])
    assert torch.equal(masked[~picked], ids[~picked])
    assert picked[:, 1:-1].float().mean().item() == pytest.approx(0.15, abs=0.01)
    hidden = (masked[picked] == script.MASK).float().mean().item()
    kept = (masked[picked] == ids[picked]).float().mean().item()
    assert hidden == pytest.approx(0.8, abs=0.02)
    assert kept == pytest.approx(0.1, abs=0.02)


def test_passages_are_whole_sentences_in_order(script):
    document = [np.full(n, n) for n in (10, 20, 60, 70, 200)]
    joined = set()
    for seed in range(20):
        passages = list(script.cut(document, np.random.RandomState(seed)))
        assert all(len(passage) <= script.MAX_LENGTH - 2 for passage in passages)
        flat = np.concatenate(passages)
        assert np.array_equal(flat, np.concatenate(document)[: len(flat)])
        joined |= {len(passage) for passage in passages}
    assert {10, 30, 90, 70, 126} <= joined


def test_batches_hold_each_passage_once(script):
    passages = [np.full(n, 7) for n in range(1, 50)]
    batches = list(script.pack(passages, 200))
    assert list(itertools.chain(*batches)) == passages
    for batch in batches:
        assert len(batch) == 1 or len(batch) * (2 + max(map(len, batch))) <= 200
    ids, attended = script.pad(batches[0])
    assert ids.shape == attended.shape
    assert ids[0, :3].tolist() == [script.CLS, 7, script.SEP]
    assert attended.sum(dim=1).tolist() == [len(p) + 2 for p in batches[0]]


def test_a_short_run_learns_and_can_be_loaded(script, tmp_path, monkeypatch, capsys):
    corpus = tmp_path / "texts.json"
    corpus.write_text(json.dumps(CORPUS))
    folder = tmp_path / "model"
    options = "--steps 60 --report 20 --layers 1 --batch-tokens 1000".split()
    monkeypatch.setattr(
        sys, "argv", ["pretrain", str(folder), "--corpus", str(corpus), *options]
    )
    state = torch.get_rng_state()
    script.main()
    torch.set_rng_state(state)
    lines = capsys.readouterr().out.splitlines()
    reports = [json.loads(line) for line in lines if '"steps"' in line]
    assert [report["steps"] for report in reports] == [20, 40, 60]
    first, *_, last = (report["held_out_loss"] for report in reports)
    assert last[0] < first[0] - 1
    assert last[1] < first[1] - 1
    about = json.loads((folder / "corpus.json").read_text())
    n_held_out = sum(map(script.is_held_out, SENTENCES))
    assert about["sentences"] == len(SENTENCES)
    assert about["held_out_sentences"] == n_held_out > 0
    assert about["packages"]["numpy"] == {
        "version": np.__version__,
        "sentences": len(SENTENCES),
    }
    assert about["training"]["steps"] == 60
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, report = AutoModelForMaskedLM.from_pretrained(
        folder, output_loading_info=True
    )
    assert not report["missing_keys"]
    assert model.dtype == torch.float16
    assert tokenizer.model_max_length == 128
