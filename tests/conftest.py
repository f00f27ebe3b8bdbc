# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Fixtures for all tests: toy texts, tiny checkpoints, the shared benchmark data."""

import os

# Before torch, tokenizers or huggingface_hub are imported: they read these once.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import numpy as np
import pytest

POSITIVE = "good great fine superb".split()
NEGATIVE = "bad awful poor dire".split()
FILLER = "the movie was a film plot".split()


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
def tiny_tokenizer(toy_texts):
    """A WordPiece tokenizer of the toy texts, with BERT's special tokens."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    core = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.train_from_iterator(
        toy_texts[0],
        trainers.WordPieceTrainer(
            vocab_size=120, special_tokens=special, show_progress=False
        ),
    )
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
def trec(shared_dir):
    """TREC as (X_train, y_train, X_test, y_test): lists of str, int arrays."""
    import pandas as pd

    parts = []
    for split in ("train", "test"):
        path = shared_dir / "data" / "trec" / f"{split}.parquet"
        if not path.is_file():
            pytest.skip("the shared data folder has no data/trec")
        frame = pd.read_parquet(path)
        parts += [frame["text"].tolist(), frame["label"].to_numpy()]
    return tuple(parts)
