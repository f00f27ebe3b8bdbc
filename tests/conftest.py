# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Fixtures for all tests: toy texts, tiny checkpoints, the shared benchmark data."""

import os

# Before torch, tokenizers or huggingface_hub are imported: they read these once.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.setdefault("OMP_NUM_THREADS", "1")

import signal
import string
from pathlib import Path

import numpy as np
import pytest

POSITIVE = "good great fine superb".split()
NEGATIVE = "bad awful poor dire".split()
FILLER = "the movie was a film plot".split()


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_counts():
    """Ctrl-C interrupts: a shell that starts a run in the background ignores it, and
    Python would inherit that; some tests send the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def toy_texts():
    """80 distinct short texts (list of str) and their labels, "neg" or "pos"."""
    rng = np.random.RandomState(0)
    y = np.array(["neg", "pos"])[rng.randint(2, size=80)]
    X = []
    for row, label in enumerate(y):
        filler = rng.choice(FILLER, rng.randint(1, 9)).tolist()
        telling = rng.choice(POSITIVE if label == "pos" else NEGATIVE, 2).tolist()
        X.append(" ".join([*filler, *telling, str(row)]))
    return X, y


@pytest.fixture(scope="session")
def tiny_tokenizer():
    """A WordPiece tokenizer of the toy texts' words, digits and letters.

    Its vocabulary is written down, not trained: the trainer gives another one in every
    process, and thresholds in tests would be met by luck.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    signs = [*string.digits, *string.ascii_lowercase]
    words = sorted({*POSITIVE, *NEGATIVE, *FILLER} - {*signs})
    pieces = [*special, *signs, *(f"##{sign}" for sign in signs), *words]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    core = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {f"{token[1:-1].lower()}_token": token for token in special}
    return PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=64, **names)


@pytest.fixture(scope="session")
def tiny_checkpoint(tiny_tokenizer, tmp_path_factory):
    """Path (str) of a random BERT, 2 layers x 32, with its tokenizer."""
    import torch
    from transformers import AutoModelForSequenceClassification, BertConfig

    path = str(tmp_path_factory.mktemp("tiny-checkpoint"))
    config = BertConfig(
        vocab_size=len(tiny_tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.1,  # small random networks learn faster from larger weights
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        AutoModelForSequenceClassification.from_config(config).save_pretrained(path)
    tiny_tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="session")
def shared_dir():
    """The folder of shared data that lies beside a developer's checkout."""
    path = Path(__file__).parents[1].parent / "shared"
    if not path.is_dir():
        pytest.skip("the shared data folder is not beside this checkout")
    return path


@pytest.fixture(scope="session")
def tiny_bert(shared_dir):
    """Path (str) of a small pretrained BERT."""
    path = shared_dir / "models" / "tiny-bert"
    if not path.is_dir():
        pytest.skip("the shared data folder has no models/tiny-bert")
    return str(path)


@pytest.fixture(scope="session")
def benchmark_set(shared_dir):
    """A function of a data set's name: (X_train, y_train, X_test, y_test), lists of str
    and int arrays."""
    import pandas as pd

    def read(name):
        parts = []
        for split in ("train", "test"):
            path = shared_dir / "data" / name / f"{split}.parquet"
            if not path.is_file():
                pytest.skip(f"the shared data folder has no data/{name}")
            frame = pd.read_parquet(path)
            parts += [frame["text"].tolist(), frame["label"].to_numpy()]
        return tuple(parts)

    return read


@pytest.fixture(scope="session")
def trec(benchmark_set):
    """TREC as (X_train, y_train, X_test, y_test): lists of str, int arrays."""
    return benchmark_set("trec")
