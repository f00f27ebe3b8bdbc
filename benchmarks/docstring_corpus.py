# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The corpus of skal-tiny: the English sentences in the docstrings installed here.

Two scripts beside this one use it; it does nothing by itself.
"""

import hashlib
import importlib.metadata
import platform
import re
import sysconfig
from pathlib import Path

from skal.datasets._docstrings import _masker
from skal.datasets._prose import (
    _NOT_PROSE,
    _UNDERLINE,
    docstrings,
    is_english,
    plain,
    split_sentences,
)

HELD_OUT = 15  # per cent
MIN_WORDS, MAX_WORDS = 4, 80


def key(sentence):
    """The words of a sentence in lower case: what makes two sentences the same."""
    return " ".join(re.findall(r"[a-z0-9]+", sentence.lower()))


def is_held_out(sentence):
    """Whether skal-tiny has never seen `sentence`, whatever corpus it was made from."""
    digest = hashlib.blake2b(key(sentence).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % 100 < HELD_OUT


def harvest():
    """The sentences of each docstring, {package: [[sentence, ...], ...]}.

    A sentence occurs once. Names of the packages that `load_docstrings` knows are
    masked as it masks them.
    """
    mask, seen, corpus = _masker([]), set(), {}
    paths = sysconfig.get_paths()
    for root in (Path(paths["purelib"]), Path(paths["stdlib"])):
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).parts
            if "site-packages" in parts or parts[0] in ("skal", "test"):
                continue
            documents = corpus.setdefault(parts[0].removesuffix(".py"), [])
            for docstring in docstrings(path.read_bytes()):
                document = [
                    sentence
                    for block in blocks(docstring)
                    for sentence in split_sentences(mask(plain(block)))
                    if is_english(sentence, MIN_WORDS, MAX_WORDS)
                    and not (key(sentence) in seen or seen.add(key(sentence)))
                ]
                if document:
                    documents.append(document)
    return {name: documents for name, documents in corpus.items() if documents}


def blocks(docstring):
    """Yield whatever may be prose: runs of lines of one indentation, each on one line.

    Unlike `load_docstrings` it takes the descriptions of parameters too.
    """
    block, indent = [], 0
    for line in [*docstring.split("\n"), ""]:
        text = line.strip()
        is_text = text and not (_NOT_PROSE.match(text) or _UNDERLINE.fullmatch(text))
        if block and (not is_text or len(line) - len(line.lstrip()) != indent):
            yield " ".join(block)
            block = []
        if is_text:
            indent = len(line) - len(line.lstrip())
            block.append(text)


def describe(corpus, n_held_out, n_tokens):
    """What the corpus is, for corpus.json."""
    distributions = importlib.metadata.packages_distributions()
    packages = {}
    for name, documents in sorted(corpus.items()):
        count = sum(map(len, documents))
        if name in distributions:
            version = importlib.metadata.version(distributions[name][0])
            packages[name] = {"version": version, "sentences": count}
        else:
            packages.setdefault("python", {"version": platform.python_version()})
            total = packages["python"].get("sentences", 0) + count
            packages["python"]["sentences"] = total
    return {
        "sentences": sum(package["sentences"] for package in packages.values()),
        "held_out_sentences": n_held_out,
        "training_tokens": n_tokens,
        "packages": packages,
    }
