# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Pretrain skal-tiny, the model that lies in the package, from the docstrings here.

    OMP_NUM_THREADS=1 python benchmarks/pretrain_skal_tiny.py FOLDER

collects the English sentences in the docstrings of all packages installed beside this
Python and of its standard library, writes down a WordPiece vocabulary, starts a small
BERT from word vectors (how often words occur near each other) and trains it with
masked language modelling. FOLDER gets weights, tokenizer and corpus.json, which says
what the model saw. Nothing is downloaded.

A fixed share of the sentences, told by a hash of their words, is held out: nothing is
learned from them, neither words nor weights.
"""

import argparse
import json
import time
from collections import Counter
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
from docstring_corpus import describe, harvest, is_held_out
from safetensors.torch import save_file
from sklearn.utils.extmath import randomized_svd
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertForMaskedLM, BertModel, BertTokenizerFast

VOCAB_SIZE = 6000
MAX_LENGTH = 128
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(len(SPECIAL_TOKENS))
HIDDEN_SIZE = 128
# Three times BERT's own scale: at the start the vectors are all that the model knows.
VECTOR_STD = 0.06
MASKED = 0.15


# Where training starts ----------------------------------------------------------------


def make_tokenizer(texts):
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
    pieces = [*SPECIAL_TOKENS, *letters, *("##" + letter for letter in letters)]
    pieces += most_frequent(endings, VOCAB_SIZE // 10)
    pieces += most_frequent(words, VOCAB_SIZE)
    vocab = {p: i for i, p in enumerate(list(dict.fromkeys(pieces))[:VOCAB_SIZE])}
    wordpiece = BertWordPieceTokenizer(vocab, lowercase=True)
    return BertTokenizerFast(
        tokenizer_object=wordpiece._tokenizer, model_max_length=MAX_LENGTH
    )


def most_frequent(counts, n):
    """At most `n` of what occurs twice or more, by frequency, then by alphabet."""
    kept = [piece for piece, count in counts.items() if count > 1]
    return sorted(kept, key=lambda piece: (-counts[piece], piece))[:n]


def word_vectors(sentences, seed):
    """Vectors (VOCAB_SIZE, HIDDEN_SIZE) by which words occur near each other.

    The truncated singular value decomposition of the positive pointwise mutual
    information (Levy and Goldberg, Neural word embedding as implicit matrix
    factorization, NeurIPS 2014).
    """
    near = cooccurrences(sentences)
    total = near.sum(axis=1)
    context = total**0.75  # frequent words are less of a context
    row, column = near.row, near.col
    pmi = np.log(near.data * context.sum() / (total[row] * context[column]))
    kept = pmi > 0
    matrix = sp.csr_array((pmi[kept], (row[kept], column[kept])), shape=near.shape)
    U, singular_values, _ = randomized_svd(matrix, HIDDEN_SIZE, random_state=seed)
    vectors = (U * np.sqrt(singular_values)).astype(np.float32)
    return torch.from_numpy(vectors * (VECTOR_STD / vectors.std()))


def cooccurrences(sentences, window=8):
    """How often two tokens are at most `window` apart, each time 1 / distance."""
    shape = (VOCAB_SIZE, VOCAB_SIZE)
    counts = sp.csr_array(shape, dtype=np.float64)
    for distance in range(1, window + 1):
        left = np.concatenate([ids[:-distance] for ids in sentences])
        right = np.concatenate([ids[distance:] for ids in sentences])
        weight = np.full(len(left), 1 / distance)
        counts = counts + sp.csr_array((weight, (left, right)), shape=shape)
    return (counts + counts.T).tocoo()


class Pretrainer(torch.nn.Module):
    """A BERT with two heads that predict masked words, both tied to the word vectors.

    One predicts a word from the state at its position, as in BERT. The other predicts
    the same words from the pooled state of [CLS], where their positions are unknown:
    so that the vector which a classifier starts from stands for the sentence.
    """

    def __init__(self, n_layers, vectors):
        super().__init__()
        config = BertConfig(
            vocab_size=VOCAB_SIZE,
            hidden_size=HIDDEN_SIZE,
            num_hidden_layers=n_layers,
            num_attention_heads=4,
            intermediate_size=4 * HIDDEN_SIZE,
            max_position_embeddings=MAX_LENGTH,
        )
        self.network = BertForMaskedLM(config)
        self.network.bert.pooler = BertModel(config).pooler
        with torch.no_grad():
            self.network.bert.embeddings.word_embeddings.weight.copy_(vectors)
        for part in self.modules():  # so small a model does not learn by heart
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0

    def forward(self, ids, attended, targets):
        """The mean losses (at the position, from [CLS]) of the tokens in `targets`.

        `targets` holds a token where one is to be predicted and -1 elsewhere.
        """
        row, column = (targets >= 0).nonzero(as_tuple=True)
        targets = targets[row, column]
        bert, head = self.network.bert, self.network.cls.predictions
        states = bert(ids, attention_mask=attended).last_hidden_state
        pooled = torch.nn.functional.linear(
            bert.pooler(states), head.decoder.weight, head.decoder.bias
        )
        at_position = self.network.cls(states[row, column])
        return (
            torch.nn.functional.cross_entropy(at_position.float(), targets),
            -pooled.float().log_softmax(dim=1)[row, targets].mean(),
        )


# Training -----------------------------------------------------------------------------


def batches(documents, n_tokens, rng):
    """Yield batches (ids, attended) of about `n_tokens` tokens, for ever.

    A passage is a run of sentences of one docstring: each one ends it with probability
    one half. Passages in a batch are of similar length.
    """
    while True:
        passages = [p for document in documents for p in cut(document, rng)]
        rng.shuffle(passages)
        passages.sort(key=len)
        packed = list(pack(passages, n_tokens))
        for i in rng.permutation(len(packed)):
            yield pad(packed[i])


def cut(document, rng):
    """Passages of one docstring, whole sentences joined, each cut to MAX_LENGTH."""
    passage = document[0][: MAX_LENGTH - 2]
    for sentence in document[1:]:
        if rng.random() < 0.5 or len(passage) + len(sentence) > MAX_LENGTH - 2:
            yield passage
            passage = sentence[: MAX_LENGTH - 2]
        else:
            passage = np.concatenate([passage, sentence])
    yield passage


def pack(passages, n_tokens):
    """Cut a sorted list of passages into batches of at most `n_tokens`, padded."""
    batch = []
    for passage in passages:
        if batch and (len(passage) + 2) * (len(batch) + 1) > n_tokens:
            yield batch
            batch = []
        batch.append(passage)
    yield batch


def pad(passages):
    ids = np.full((len(passages), 2 + max(map(len, passages))), PAD)
    for row, passage in zip(ids, passages, strict=True):
        row[: len(passage) + 2] = [CLS, *passage, SEP]
    ids = torch.from_numpy(ids)
    return ids, (ids != PAD).long()


def mask(ids, generator):
    """`ids` with tokens hidden, and what they were (-1 where nothing is predicted).

    Of the tokens 15 % are to be predicted; of those 80 % become [MASK], 10 % a random
    token and 10 % stay.
    """

    def draw():
        return torch.rand(ids.shape, generator=generator)

    picked = (draw() < MASKED) & (ids >= len(SPECIAL_TOKENS))
    targets = torch.where(picked, ids, -1)
    way = draw()
    anything = torch.randint(
        len(SPECIAL_TOKENS), VOCAB_SIZE, ids.shape, generator=generator
    )
    hidden = torch.where(picked & (way < 0.8), MASK, ids)
    return torch.where(picked & (way >= 0.9), anything, hidden), targets


def train(model, documents, held_out, args, save):
    """AdamW with warm-up and linear decay; prints and saves now and then."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decayed}, {"params": rest, "weight_decay": 0.0}],
        lr=args.lr,
        betas=(0.9, 0.98),
        weight_decay=0.01,
    )
    warmup = args.steps // 20
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / warmup, (args.steps - step) / args.steps),
    )
    stream = batches(documents, args.batch_tokens, np.random.RandomState(args.seed))
    generator = torch.Generator().manual_seed(args.seed)
    started, losses, n_tokens = time.perf_counter(), [], 0
    for step in range(1, args.steps + 1):
        ids, attended = next(stream)
        n_tokens += int(attended.sum())
        ids, targets = mask(ids, generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            at_position, from_cls = model(ids, attended, targets)
        optimizer.zero_grad()
        (at_position + args.cls_weight * from_cls).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append([at_position.item(), from_cls.item()])
        if step % args.report == 0 or step == args.steps:
            figures = {
                "steps": step,
                "seconds": round(time.perf_counter() - started),
                "tokens_seen": n_tokens,
                "loss": np.mean(losses[-args.report :], axis=0).round(3).tolist(),
                "held_out_loss": evaluate(model, held_out, args),
            }
            print(json.dumps(figures), flush=True)
            save(figures)


@torch.no_grad()
def evaluate(model, documents, args):
    """The two losses on 2,000 held-out sentences, each by itself, masked once."""
    model.eval()
    sentences = [s for document in documents for s in document]
    sentences = sorted(sentences[:: max(1, len(sentences) // 2000)], key=len)
    generator = torch.Generator().manual_seed(0)
    losses, weights = [], []
    for batch in pack([s[: MAX_LENGTH - 2] for s in sentences], 4096):
        ids, attended = pad(batch)
        ids, targets = mask(ids, generator)
        if (targets >= 0).any():
            losses.append([loss.item() for loss in model(ids, attended, targets)])
            weights.append(int((targets >= 0).sum()))
    model.train()
    return np.average(losses, axis=0, weights=weights).round(3).tolist()


# What is written ----------------------------------------------------------------------


def save_checkpoint(model, tokenizer, folder, description):
    """Weights in half precision, tokenizer, and corpus.json: what the model saw."""
    folder.mkdir(parents=True, exist_ok=True)
    network = model.network
    network.config.dtype = torch.float16
    network.config.architectures = ["BertForMaskedLM"]
    network.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    weights = {
        name: tensor.half().contiguous()
        for name, tensor in network.state_dict().items()
        if not name.startswith("cls.predictions.decoder.")
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    text = json.dumps(description, indent=2) + "\n"
    (folder / "corpus.json").write_text(text, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--cls-weight", type=float, default=0.5)
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--report", type=int, default=250, help="steps between reports")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", type=Path, help="JSON to keep the corpus in")
    args = parser.parse_args()

    if args.corpus and args.corpus.exists():
        corpus = json.loads(args.corpus.read_text(encoding="utf-8"))
    else:
        corpus = harvest()
        if args.corpus:
            args.corpus.write_text(json.dumps(corpus), encoding="utf-8")
    documents = [document for part in corpus.values() for document in part]
    parts = [
        [kept for d in documents if (kept := [s for s in d if is_held_out(s) is out])]
        for out in (False, True)
    ]
    tokenizer = make_tokenizer([s for document in parts[0] for s in document])
    seen, held_out = ([encode(tokenizer, d) for d in part] for part in parts)
    n_tokens = sum(len(s) for document in seen for s in document)
    about = describe(corpus, sum(map(len, held_out)), n_tokens)
    print({name: about[name] for name in list(about)[:3]}, flush=True)

    torch.manual_seed(args.seed)
    vectors = word_vectors([s for document in seen for s in document], args.seed)
    model = Pretrainer(args.layers, vectors)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    options = {k: v for k, v in vars(args).items() if k not in ("folder", "corpus")}

    def save(figures):
        training = {**options, **figures, "torch": torch.__version__}
        save_checkpoint(model, tokenizer, args.folder, about | {"training": training})

    train(model, seen, held_out, args, save)


def encode(tokenizer, sentences):
    ids = tokenizer(sentences, add_special_tokens=False, verbose=False)["input_ids"]
    return [np.array(row) for row in ids]


if __name__ == "__main__":
    main()
