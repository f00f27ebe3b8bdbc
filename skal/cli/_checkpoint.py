# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""A small BERT made on the spot, for a machine without a checkpoint or a network."""

import contextlib
from collections import Counter

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils.extmath import randomized_svd
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

_MAX_LENGTH = 64
_SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_HIDDEN_SIZE = 128
# Three times BERT's own scale: the vectors carry all that the model knows.
_VECTOR_STD = 0.06


def build_checkpoint(texts, folder, *, vocab_size=6000, random_state=0):
    """Save a small BERT whose word vectors come from `texts`.

    A WordPiece tokenizer is made of the words in the texts. The word vectors are those
    of a truncated singular value decomposition of the positive pointwise mutual
    information of words that occur near each other [1]_. The one layer above them
    starts near the mean of the words in a text; all else in it is random. That is a
    fraction of what a published checkpoint knows, and costs seconds.

    Parameters
    ----------
    texts : list of str
        What to learn from; labels are not needed.
    folder : str or path-like
        Where the checkpoint is saved.
    vocab_size : int, default=6000
        The largest number of WordPieces.
    random_state : int, default=0
        Seeds everything. The global generators are left alone.

    Returns
    -------
    str
        `folder`, which ``AutoModel.from_pretrained`` can load.

    References
    ----------
    .. [1] Levy, O. and Goldberg, Y. (2014). Neural word embedding as implicit matrix
       factorization. NeurIPS.
    """
    tokenizer = _train_tokenizer(texts, vocab_size)
    token_ids = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    vectors = _word_vectors(token_ids, len(tokenizer), random_state)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=_HIDDEN_SIZE,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=4 * _HIDDEN_SIZE,
        max_position_embeddings=_MAX_LENGTH,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_state)
        model = BertForMaskedLM(config)
    _let_words_through(model.bert, torch.from_numpy(vectors))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@contextlib.contextmanager
def one_thread():
    """Let torch use one thread, and as many as before afterwards.

    One of the things less that the demo's numbers could depend on.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def _let_words_through(bert, vectors):
    """Set `vectors`, and let attention start as their mean, whatever the position."""
    attention = bert.encoder.layer[0].attention
    with torch.no_grad():
        bert.embeddings.word_embeddings.weight.copy_(vectors)
        bert.embeddings.position_embeddings.weight.zero_()
        torch.nn.init.eye_(attention.self.value.weight)
        torch.nn.init.eye_(attention.output.dense.weight)


def _train_tokenizer(texts, vocab_size):
    """A WordPiece tokenizer of the most frequent words and endings, ties by alphabet.

    The trainer of tokenizers is not used: from the same texts it gave a different
    vocabulary each time.
    """
    empty = BertWordPieceTokenizer(lowercase=True)
    words = Counter(
        word
        for text in texts
        for word, _ in empty.pre_tokenizer.pre_tokenize_str(
            empty.normalizer.normalize_str(text)
        )
    )
    endings = Counter(
        "##" + word[-length:] for word in words for length in range(2, len(word))
    )
    letters = sorted(set("".join(words)))
    pieces = [*_SPECIAL_TOKENS, *letters, *("##" + letter for letter in letters)]
    pieces += _most_frequent(endings, vocab_size // 10)
    pieces += _most_frequent(words, vocab_size)
    vocab = {piece: i for i, piece in enumerate(dict.fromkeys(pieces[:vocab_size]))}
    wordpiece = BertWordPieceTokenizer(vocab, lowercase=True)
    return BertTokenizerFast(
        tokenizer_object=wordpiece._tokenizer, model_max_length=_MAX_LENGTH
    )


def _most_frequent(counts, n):
    """At most `n` of what occurs twice or more, by frequency, then by alphabet."""
    kept = [piece for piece, count in counts.items() if count > 1]
    return sorted(kept, key=lambda piece: (-counts[piece], piece))[:n]


def _word_vectors(token_ids, n_tokens, random_state):
    """Vectors (n_tokens, _HIDDEN_SIZE) by which words occur near each other."""
    near = _cooccurrences(token_ids, n_tokens)
    total = near.sum(axis=1)
    context = total**0.75  # frequent words are less of a context
    row, column = near.row, near.col
    pmi = np.log(near.data * context.sum() / (total[row] * context[column]))
    kept = pmi > 0
    matrix = sp.csr_array((pmi[kept], (row[kept], column[kept])), shape=near.shape)
    U, singular_values, _ = randomized_svd(
        matrix, _HIDDEN_SIZE, random_state=random_state
    )
    vectors = np.zeros((n_tokens, _HIDDEN_SIZE), dtype=np.float32)
    vectors[:, : U.shape[1]] = U * np.sqrt(singular_values)
    return vectors * (_VECTOR_STD / vectors.std())


def _cooccurrences(token_ids, n_tokens, window=8):
    """How often two tokens are at most `window` apart, each time 1 / distance."""
    shape = (n_tokens, n_tokens)
    counts = sp.csr_array(shape, dtype=np.float64)
    for distance in range(1, window + 1):
        left = np.concatenate([np.int64(ids[:-distance]) for ids in token_ids])
        right = np.concatenate([np.int64(ids[distance:]) for ids in token_ids])
        weight = np.full(len(left), 1 / distance)
        counts = counts + sp.csr_array((weight, (left, right)), shape=shape)
    return (counts + counts.T).tocoo()
