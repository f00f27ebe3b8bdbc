# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Of a text too long for the model only the beginning is tokenised: same tokens."""

import numpy as np
import pytest

from skal import neural
from skal.neural import TokenTable

KINDS = ["bert", "roberta", "albert", "deberta-v2", "gpt2", "t5"]
SPACES = [" ", "  ", "   ", "\n", " \n ", "\t", "\xa0", "\u3000", "\u200b", "\x1c", ""]


def odd_texts(toy_texts, rng, n=120):
    """Texts of many lengths, with every kind of gap between the words."""
    words = np.array([word for text in toy_texts for word in text.split()])
    words = [*words, "na\u00efve", "\u4e2d\u6587", "e\u0301", "\u0301", "\x00", "don't"]
    texts = [" " * 50, "", "a" * 300, " x" * 100, "x " * 100, "\x00 " * 40 + "end"]
    for _ in range(n):
        size = rng.randint(1, 90)
        gaps = rng.choice(SPACES, size, p=[0.6] + [0.04] * 10)
        picked = rng.choice(words, size)
        texts.append("".join(map("".join, zip(picked, gaps, strict=True))))
    return texts


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("max_length", [5, 16, 60])
@pytest.mark.parametrize("side", ["right", "left"])
def test_the_tokens_are_those_of_the_whole_text(
    make_checkpoint, toy_texts, kind, max_length, side
):
    checkpoint = make_checkpoint(kind)
    tokenizer = neural.load_tokenizer(checkpoint)
    tokenizer.truncation_side = side
    module = neural.load_sequence_classifier(
        checkpoint, 2, pad_token_id=tokenizer.pad_token_id
    )
    texts = odd_texts(toy_texts[0], np.random.RandomState(max_length))
    table = TokenTable(texts, tokenizer, max_length=max_length, module=module)
    for row, text in enumerate(texts):
        options = {"truncation": True, "max_length": max_length}
        whole = tokenizer([text], **options)["input_ids"][0] or [None]
        inputs = table.batch([row])
        found = inputs["input_ids"][0][inputs["attention_mask"][0] == 1].tolist()
        if kind == "t5":  # one end token per text is kept, the last
            end, unknown = tokenizer.eos_token_id, tokenizer.unk_token_id
            whole = [unknown if i == end else i for i in whole[:-1]] + whole[-1:]
        assert found == whole or whole == [None], repr(text)


def test_what_comes_after_is_not_read(fitted, toy_texts, monkeypatch):
    read, tokenizer = [], fitted.tokenizer_
    call = type(tokenizer).__call__

    def spy(self, texts, **options):
        read.extend(texts)
        return call(self, texts, **options)

    monkeypatch.setattr(type(tokenizer), "__call__", spy)
    long = " ".join(toy_texts[0] * 50)
    TokenTable([long, "short"], tokenizer, max_length=16, module=fitted.net_.module_)
    assert [len(text.split()) for text in read] == [17, 1]
    assert long.startswith(read[0])
