# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Token surprisal: the values, which tokens, at what cost, what is refused."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModelForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    PreTrainedTokenizerFast,
)

from skal.exceptions import MissingCapabilityError, ModelNotFoundError
from skal.neural import load_masked_language_model
from skal.text import TransformerClassifier

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "alps").glob("*.npz"))
KINDS = ["bert", "roberta", "albert", "deberta-v2"]


@pytest.fixture(scope="module")
def make_masked_lm(make_checkpoint):
    """A function: an unfitted classifier of a checkpoint with its pretraining head."""

    def make(kind="bert", **params):
        checkpoint = make_checkpoint(kind, auto="AutoModelForMaskedLM")
        settings = {"device": "cpu", "max_length": 20, "random_state": 0}
        return TransformerClassifier(checkpoint, **(settings | params))

    return make


def golden_checkpoint(data, folder):
    """The authors' tiny model, and a tokenizer for which token 17 is the word w17."""
    sizes = {key: int(data[key]) for key in data if key.startswith("cfg_")}
    config = BertConfig(
        vocab_size=sizes["cfg_vocab"],
        hidden_size=sizes["cfg_hidden"],
        num_hidden_layers=sizes["cfg_layers"],
        num_attention_heads=sizes["cfg_heads"],
        intermediate_size=sizes["cfg_ff"],
        max_position_embeddings=sizes["cfg_maxpos"],
    )
    model = BertForMaskedLM(config)
    weights = {key[4:]: torch.tensor(data[key]) for key in data if key[:4] == "sd::"}
    model.load_state_dict(weights)
    model.save_pretrained(folder)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [*special, *(f"w{token}" for token in range(5, config.vocab_size))]
    vocabulary = {word: token for token, word in enumerate(words)}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {f"{token[1:-1].lower()}_token": token for token in special}
    PreTrainedTokenizerFast(tokenizer_object=core, **names).save_pretrained(folder)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_agrees_with_the_authors_code(path, tmp_path):
    data = dict(np.load(path))
    golden_checkpoint(data, tmp_path)
    texts = [
        " ".join(f"w{token}" for token in row if token > 4) for row in data["input_ids"]
    ]
    width = data["input_ids"].shape[1]
    clf = TransformerClassifier(tmp_path, max_length=width, device="cpu")
    chosen = data["token_chosen_mask"].astype(bool)
    found = clf.token_surprisal(texts, chosen)
    np.testing.assert_allclose(found, data["surprisal"], rtol=1e-4, atol=1e-5)
    found = clf.token_surprisal(texts, 1.0)
    np.testing.assert_allclose(
        found, data["surprisal_all_tokens"], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_agrees_with_the_authors_code_where_tokens_are_corrupted(path, tmp_path):
    data = dict(np.load(path))
    golden_checkpoint(data, tmp_path)
    module = load_masked_language_model(tmp_path)
    inputs = {
        "input_ids": data["masked_variant_input_ids"],
        "attention_mask": data["attention_mask"],
        "picked": data["token_chosen_mask"],
        "target": data["input_ids"],
    }
    inputs = {name: torch.tensor(values) for name, values in inputs.items()}
    with torch.inference_mode():
        found = module.surprisal(inputs, data["input_ids"].shape[1])["surprisal"]
    golden = data["surprisal_masked_variant"]
    np.testing.assert_allclose(found, golden, rtol=1e-4, atol=1e-5)


def test_four_fifths_of_the_picked_tokens_are_masked_and_a_tenth_replaced(
    make_masked_lm,
):
    clf = make_masked_lm()
    words = "the movie was a film plot good bad".split()
    X = [" ".join(np.random.RandomState(row).choice(words, 18)) for row in range(400)]
    picked = np.random.RandomState(0).random_sample((400, 20)) < 0.5
    clf.token_surprisal(X[:1])
    tokenizer, module = clf._masked_lm[1:]
    seen = []
    hook = module.network.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["input_ids"].flatten()),
        with_kwargs=True,
    )
    clf.token_surprisal(X, picked)
    clf.token_surprisal(X, picked, masked=True)
    hook.remove()
    half = len(seen) // 2
    plain, corrupted = torch.cat(seen[:half]).numpy(), torch.cat(seen[half:]).numpy()
    is_masked = corrupted == tokenizer.mask_token_id
    n_picked = picked[:, 1:19].sum()
    assert abs(is_masked.sum() / n_picked - 0.8) < 0.03
    replaced = (corrupted != plain) & ~is_masked
    assert abs(replaced.sum() / n_picked - 0.1) < 0.03
    assert len(np.unique(corrupted[replaced])) > len(tokenizer) / 2


def test_the_tokens_picked_are_the_same_where_they_are_corrupted(
    make_masked_lm, toy_texts
):
    clf, X = make_masked_lm(), toy_texts[0]
    plain, masked = (clf.token_surprisal(X, masked=masked) for masked in (False, True))
    np.testing.assert_array_equal(plain > 0, masked > 0)
    assert np.abs(plain - masked).max() > 0.1
    np.testing.assert_array_equal(clf.token_surprisal(X, masked=True), masked)
    some = clf.token_surprisal(X[::-3], masked=True)
    np.testing.assert_allclose(some, masked[::-3], atol=1e-5)


def test_a_tokenizer_without_a_mask_token_is_refused(make_masked_lm):
    clf = make_masked_lm()
    clf.token_surprisal(["good"])
    clf._masked_lm[1].mask_token = None
    with pytest.raises(MissingCapabilityError, match="use masked=False"):
        clf.token_surprisal(["good"], masked=True)
    assert clf.token_surprisal(["good"], 1.0).any()


@pytest.mark.parametrize("kind", KINDS)
def test_is_minus_log_probability_of_the_token(make_masked_lm, toy_texts, kind):
    clf, X = make_masked_lm(kind), toy_texts[0][:12]
    surprisal = clf.token_surprisal(X, 1.0)
    assert (surprisal.shape, surprisal.dtype) == ((12, 20), np.float32)
    model = AutoModelForMaskedLM.from_pretrained(clf.model).eval()
    _, tokenizer, _ = clf._masked_lm
    for row, text in enumerate(X):
        inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=20)
        tokens = inputs["input_ids"][0]
        with torch.no_grad():
            log_proba = model(**inputs).logits[0].log_softmax(dim=1)
        expected = np.zeros(20)
        expected[: len(tokens)] = -log_proba[torch.arange(len(tokens)), tokens]
        expected[np.flatnonzero(np.isin(tokens, tokenizer.all_special_ids))] = 0
        np.testing.assert_allclose(surprisal[row], expected, atol=1e-4)
        assert (expected > 0).sum() == len(tokens) - 2


def test_a_token_is_picked_by_seed_text_and_position(make_masked_lm, toy_texts):
    clf, X = make_masked_lm(), [text * 3 for text in toy_texts[0]]
    everything = clf.token_surprisal(X, 1.0)
    found = clf.token_surprisal(X)
    assert set(np.unique(found[found > 0])) <= set(np.unique(everything))
    share = (found > 0).sum() / (everything > 0).sum()
    assert 0.1 < share < 0.2
    np.testing.assert_array_equal(clf.token_surprisal(X, random_state=0), found)
    np.testing.assert_array_equal(
        clf.set_params(batch_size=7).token_surprisal(X), found
    )
    order = np.random.RandomState(0).permutation(80)[:30]
    some = clf.token_surprisal([X[row] for row in order])
    np.testing.assert_allclose(some, found[order], atol=1e-5)
    np.testing.assert_array_equal(some > 0, found[order] > 0)
    other = clf.token_surprisal(X, random_state=1)
    assert ((other > 0) != (found > 0)).mean() > 0.05
    seeds = [np.random.RandomState(3), np.random.RandomState(3)]
    a, b = (clf.token_surprisal(X, 0.5, random_state=seed) for seed in seeds)
    np.testing.assert_array_equal(a, b)


def test_all_positions_are_picked_alike(make_masked_lm):
    clf = make_masked_lm(max_length=14)
    words = "the movie was a film plot good bad".split()
    X = [" ".join(np.random.RandomState(row).choice(words, 12)) for row in range(600)]
    picked = clf.token_surprisal(X, 0.3) > 0
    assert not picked[:, [0, 13]].any()
    rates = picked[:, 1:13].mean(axis=0)
    assert np.abs(rates - 0.3).max() < 0.08
    assert abs(np.corrcoef(picked[:, 1], picked[:, 2])[0, 1]) < 0.15


def test_equal_texts_may_have_different_tokens_given(make_masked_lm):
    clf = make_masked_lm()
    picked = np.zeros((2, 20), dtype=bool)
    picked[0, 1] = picked[1, 2] = picked[1, 0] = picked[1, 9] = True
    surprisal = clf.token_surprisal(["good movie", "good movie"], picked)
    everything = clf.token_surprisal(["good movie"], 1.0)[0]
    assert [np.flatnonzero(row).tolist() for row in surprisal] == [[1], [2]]
    np.testing.assert_allclose(surprisal[[0, 1], [1, 2]], everything[[1, 2]], atol=1e-5)


def test_texts_without_a_token_are_all_zero(make_masked_lm):
    surprisal = make_masked_lm().token_surprisal(["", "", "good"], 1.0)
    assert (surprisal > 0).sum(axis=1).tolist() == [0, 0, 1]


def test_vocabulary_product_at_the_picked_tokens_only(make_masked_lm, toy_texts):
    clf, X = make_masked_lm(), toy_texts[0]
    clf.token_surprisal(X[:1])
    rows = []
    decoder = clf._masked_lm[2].network.get_output_embeddings()
    hook = decoder.register_forward_hook(
        lambda layer, args, output: rows.append(output.shape[:-1].numel())
    )
    n_picked = np.count_nonzero(clf.token_surprisal(X))
    hook.remove()
    assert sum(rows) == n_picked < 150


def test_the_model_is_kept_but_never_copied_or_pickled(make_masked_lm, toy_texts):
    clf = make_masked_lm(max_epochs=1, min_steps=0).fit(*toy_texts)
    n_bytes = len(pickle.dumps(clf))
    before = clf.token_surprisal(toy_texts[0])
    module = clf._masked_lm[2]
    clf.fit(*toy_texts)
    np.testing.assert_array_equal(clf.token_surprisal(toy_texts[0]), before)
    assert clf._masked_lm[2] is module
    assert len(pickle.dumps(clf)) < n_bytes + 1000
    assert pickle.loads(pickle.dumps(clf))._masked_lm is None
    assert clone(clf)._masked_lm is None
    with pytest.raises(ModelNotFoundError, match="nowhere"):
        clf.set_params(model="nowhere").token_surprisal(["good"])


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_a_checkpoint_without_the_head_is_refused(make_checkpoint, kind):
    clf = TransformerClassifier(make_checkpoint(kind), device="cpu")
    with pytest.raises(MissingCapabilityError, match="masked-language-model head"):
        clf.token_surprisal(["good"])


@pytest.mark.parametrize(
    "picked",
    [
        0,
        0.0,
        1.5,
        -1,
        True,
        "all",
        None,
        np.zeros((1, 20)),
        np.ones((1, 3), dtype=bool),
    ],
)
def test_what_is_no_share_and_no_mask_is_refused(make_masked_lm, picked):
    with pytest.raises(ValueError, match="picked must be a share of the tokens"):
        make_masked_lm().token_surprisal(["good"], picked)


def test_global_generators_are_untouched(make_masked_lm, toy_texts):
    state, numpy_state = torch.get_rng_state(), np.random.get_state()
    make_masked_lm(random_state=None).token_surprisal(toy_texts[0])
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state[1])
