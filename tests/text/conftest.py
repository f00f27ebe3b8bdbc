# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Small, quickly trained classifiers."""

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing

from skal.text import TransformerClassifier

QUICK = {
    "lr": 5e-3,
    "max_epochs": 4,
    "min_steps": 0,
    "batch_size": 8,
    "device": "cpu",
    "random_state": 0,
}


@pytest.fixture(scope="session")
def make_classifier(tiny_checkpoint):
    """A function that returns an unfitted classifier, trained in a moment."""

    def make(**params):
        return TransformerClassifier(tiny_checkpoint, **(QUICK | params))

    return make


@pytest.fixture(scope="session")
def fitted(make_classifier, toy_texts):
    """A fitted classifier. Careful: do not fit it again."""
    return make_classifier().fit(*toy_texts)


def _byte_level(special):
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return core, trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )


def _tokenizer(kind, texts):
    """A tokenizer like RoBERTa's, GPT-2's (no padding token) or T5's, trained here."""
    from transformers import PreTrainedTokenizerFast

    if kind == "roberta":
        special, template = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"], "<s> $A </s>"
        names = ["bos", "pad", "eos", "unk", "mask"]
        core, trainer = _byte_level(special)
    elif kind == "gpt2":
        special, template, names = ["<|endoftext|>"], "$A", ["eos"]
        core, trainer = _byte_level(special)
    else:
        special, template = ["<pad>", "</s>", "<unk>"], "$A </s>"
        names = ["pad", "eos", "unk"]
        core = Tokenizer(models.Unigram())
        core.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=120,
            special_tokens=special,
            unk_token="<unk>",
            show_progress=False,
        )
    core.train_from_iterator(texts, trainer)
    core.post_processor = TemplateProcessing(
        single=template,
        special_tokens=[(name, special.index(name)) for name in special],
    )
    tokens = {
        f"{name}_token": token for name, token in zip(names, special, strict=True)
    }
    return PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=64, **tokens)


def _config(kind):
    """A configuration of 2 layers x 32 for about 64 positions."""
    import transformers

    common = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
        "initializer_range": 0.1,
    }
    if kind == "gpt2":
        return transformers.GPT2Config(
            n_embd=32, n_layer=2, n_head=2, n_positions=64, initializer_range=0.1
        )
    if kind == "t5":
        return transformers.T5Config(
            d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2
        )
    if kind == "roberta":
        common["max_position_embeddings"] = 66
    if kind == "albert":
        common["embedding_size"] = 16
    if kind == "deberta-v2":
        common |= {"relative_attention": True, "position_biased_input": False}
        common |= {"pos_att_type": ["p2c", "c2p"], "position_buckets": 16}
        common |= {"norm_rel_ebd": "layer_norm", "share_att_key": True}
    return transformers.AutoConfig.for_model(kind, **common)


@pytest.fixture(scope="session")
def make_checkpoint(tiny_tokenizer, toy_texts, tmp_path_factory):
    """A function from an architecture to the path (str) of a tiny random checkpoint.

    Made at the first call: "bert", "roberta", "albert", "deberta-v2" (as v3 uses it),
    "gpt2" or "t5". Other settings of its configuration may be given.
    """
    made = {}

    def make(kind, auto="AutoModelForSequenceClassification", **settings):
        import torch
        import transformers

        key = (kind, auto, *sorted(settings.items()))
        if key not in made:
            own = kind in ("roberta", "gpt2", "t5")
            tokenizer = _tokenizer(kind, toy_texts[0]) if own else tiny_tokenizer
            config = _config(kind)
            config.update({"vocab_size": len(tokenizer), **settings})
            for name in ("bos", "eos", "pad"):
                token = getattr(tokenizer, f"{name}_token_id")
                setattr(config, f"{name}_token_id", token)
            made[key] = str(tmp_path_factory.mktemp(kind))
            with torch.random.fork_rng():
                torch.manual_seed(0)
                model = getattr(transformers, auto).from_config(config)
            model.save_pretrained(made[key])
            tokenizer.save_pretrained(made[key])
        return made[key]

    return make
