# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Ways from texts to class probabilities: a bare loop and what other libraries offer.

Each is a function of a checkpoint and settings that returns a function of a list of
texts. All run in float32, in batches of `batch_size` padded to their longest text (the
bare loop: as many texts as fit `max_tokens` padded tokens, sorted by length).
"""

import json
import subprocess
from pathlib import Path

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForSequenceClassification, AutoTokenizer

WORKER = Path(__file__).with_name("small_text_worker.py")


def load(checkpoint):
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint)
    return model.eval(), AutoTokenizer.from_pretrained(checkpoint)


def tokenize(texts, tokenizer, max_length):
    return tokenizer(
        texts, truncation=True, max_length=max_length, return_attention_mask=False
    )["input_ids"]


def bare_forward(ids, model, pad, max_tokens):
    """The loop itself: sort, fill up to `max_tokens`, pad, run, softmax."""
    lengths = np.array([len(row) for row in ids])
    order = np.argsort(lengths, kind="stable")
    proba = np.empty((len(ids), model.config.num_labels))
    stop = len(order)
    while stop:
        longest = lengths[order[stop - 1]]
        start = max(stop - max(max_tokens // longest, 1), 0)
        rows = order[start:stop]
        batch = [torch.tensor(ids[row]) for row in rows]
        input_ids = pad_sequence(batch, batch_first=True, padding_value=pad)
        mask = (torch.arange(longest) < torch.from_numpy(lengths[rows])[:, None]).long()
        with torch.inference_mode():
            logits = model(input_ids=input_ids, attention_mask=mask).logits
        proba[rows] = logits.double().softmax(dim=1).numpy()
        stop = start
    return proba


def bare_loop(checkpoint, *, max_length, max_tokens, **_):
    model, tokenizer = load(checkpoint)

    def predict(texts):
        ids = tokenize(texts, tokenizer, max_length)
        return bare_forward(ids, model, tokenizer.pad_token_id, max_tokens)

    return predict


def bare_loop_on_tokens(checkpoint, texts, *, max_length, max_tokens):
    """The same on texts that are tokenised beforehand."""
    model, tokenizer = load(checkpoint)
    ids = tokenize(texts, tokenizer, max_length)
    return lambda _: bare_forward(ids, model, tokenizer.pad_token_id, max_tokens)


def trainer(checkpoint, *, max_length, batch_size, **_):
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

    model, tokenizer = load(checkpoint)
    arguments = TrainingArguments(
        checkpoint,
        per_device_eval_batch_size=batch_size,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
    )
    runner = Trainer(model, arguments, data_collator=DataCollatorWithPadding(tokenizer))

    def predict(texts):
        encoded = tokenizer(texts, truncation=True, max_length=max_length)
        rows = [
            dict(zip(encoded, row, strict=True))
            for row in zip(*encoded.values(), strict=True)
        ]
        logits = torch.from_numpy(runner.predict(rows).predictions)
        return logits.double().softmax(dim=1).numpy()

    return predict


def pipeline(checkpoint, *, max_length, batch_size, **_):
    import transformers

    model, tokenizer = load(checkpoint)
    pipe = transformers.pipeline(
        "text-classification", model=model, tokenizer=tokenizer, device="cpu"
    )
    column = model.config.label2id

    def predict(texts):
        proba = np.empty((len(texts), len(column)))
        found = pipe(
            texts,
            top_k=None,
            batch_size=batch_size,
            truncation=True,
            max_length=max_length,
        )
        for row, scores in enumerate(found):
            for score in scores:
                proba[row, column[score["label"]]] = score["score"]
        return proba

    return predict


class Logits(torch.nn.Module):
    """A transformers model whose `forward` returns the logits, for skorch."""

    def __init__(self, checkpoint):
        super().__init__()
        self.model = AutoModelForSequenceClassification.from_pretrained(checkpoint)

    def forward(self, **inputs):
        return self.model(**inputs).logits


def skorch(checkpoint, *, max_length, batch_size, **_):
    from skorch import NeuralNetClassifier

    tokenizer = load(checkpoint)[1]

    def collate(rows):
        texts, y = zip(*rows, strict=True)
        inputs = tokenizer(
            list(texts),
            truncation=True,
            max_length=max_length,
            padding=True,
            return_tensors="pt",
        )
        return dict(inputs), torch.tensor(y)

    net = NeuralNetClassifier(
        Logits,
        module__checkpoint=checkpoint,
        criterion=torch.nn.CrossEntropyLoss,
        batch_size=batch_size,
        iterator_valid__collate_fn=collate,
        verbose=0,
    ).initialize()
    return lambda texts: net.predict_proba(np.array(texts, dtype=object))


class SmallText:
    """small-text in a process of its own environment, which times itself.

    Parameters
    ----------
    python : str
        The interpreter of the environment that `make_env.sh` made.
    folder : path-like
        The checkpoint; what the two processes exchange is written there too.
    clock : {"wall", "cpu"}
        What kind of seconds it counts.
    max_length, batch_size, threads, n_classes : int
    """

    def __init__(
        self, python, folder, *, clock, max_length, batch_size, threads, n_classes
    ):
        self.folder = Path(folder)
        self.request = {"max_length": max_length, "clock": clock}
        self.process = subprocess.Popen(
            [python, "-W", "ignore", str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        loaded = self._ask(
            do="load",
            checkpoint=str(folder),
            n_classes=n_classes,
            batch_size=batch_size,
            threads=threads,
        )
        self.versions = loaded["versions"]

    def __call__(self, texts):
        """The seconds that it took by its own clock, and the probabilities."""
        source, proba = self.folder / "texts.json", self.folder / "proba.npy"
        source.write_text(json.dumps(texts))
        answer = self._ask(
            do="predict", texts=str(source), proba=str(proba), **self.request
        )
        return answer["seconds"], np.load(proba)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def _ask(self, **request):
        print(json.dumps(request), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("small-text gave up; what it said stands above.")
        return json.loads(line)
