# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""skal-tiny, the model in the box: it is there, it is small, it knows some words."""

import json
import pickle
import re
import shutil
from collections import Counter
from importlib.resources import files
from pathlib import Path

import huggingface_hub
import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from transformers import AutoModelForMaskedLM, AutoTokenizer

from skal.datasets import load_docstrings
from skal.exceptions import ModelNotFoundError
from skal.neural import locate
from skal.text import SentenceEncoder, TransformerClassifier

BOX = Path(str(files("skal.models"))) / "skal-tiny"
DOCS = Path(__file__).parents[2] / "docs" / "skal_tiny.rst"
QUICK = {"lr": 1e-3, "max_epochs": 3, "min_steps": 0, "batch_size": 8}
TEXTS = [
    f"{verb} the {noun} of a sparse matrix."
    for verb in ("Return", "Compute", "Plot", "Draw")
    for noun in ("rows", "values", "shape", "norm")
]
LABELS = np.repeat(["numbers", "pictures"], 8)


@pytest.fixture(scope="module")
def fitted():
    """Careful: do not fit it again."""
    classifier = TransformerClassifier("skal-tiny", random_state=0, **QUICK)
    return classifier.fit(TEXTS, LABELS)


@pytest.fixture(scope="module")
def sentences():
    """Real sentences and their packages; skal-tiny has read most of the sentences."""
    names = ["matplotlib", "numpy", "torch"]
    return load_docstrings(names, max_per_package=200, return_X_y=True)


def test_it_is_small():
    sizes = {path.name: path.stat().st_size for path in BOX.iterdir()}
    assert sum(sizes.values()) <= 4_000_000, sizes
    model = AutoModelForMaskedLM.from_pretrained(BOX)
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    assert 1_200_000 <= n_parameters <= 1_800_000
    assert model.dtype == torch.float16
    assert model.config.max_position_embeddings == 128


def test_it_works_with_no_network(monkeypatch):
    """Not even when hub look-ups are allowed does it ask."""

    def refuse(*args, **kwargs):
        raise AssertionError("asked the network")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)
    classifier = TransformerClassifier("skal-tiny", random_state=0, **QUICK)
    classifier.fit(TEXTS, LABELS).predict(TEXTS)
    classifier.token_surprisal(TEXTS)
    SentenceEncoder("skal-tiny").fit().transform(TEXTS)


def test_it_fits_predicts_and_embeds(fitted):
    assert fitted.predict(TEXTS).tolist() == LABELS.tolist()
    assert fitted.predict_proba(TEXTS).shape == (16, 2)
    assert fitted.embed(TEXTS).shape == (16, 128)
    weights = fitted.net_.module_.state_dict().values()
    assert {tensor.dtype for tensor in weights if tensor.is_floating_point()} == {
        torch.float32
    }


def test_its_encoder_has_all_weights(fitted):
    """Two are equal: nothing is left to chance, not even the pooler."""
    encoder = fitted.pretrained_encoder()
    assert encoder.model == "skal-tiny"
    modules = [encoder.fit().module_, SentenceEncoder("skal-tiny").fit().module_]
    weights = [module.state_dict() for module in modules]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    vectors = encoder.transform(TEXTS)
    assert vectors.shape == (16, 128)
    assert encoder.tokenizer_.model_max_length == 128


def test_its_vectors_tell_packages_apart(sentences):
    """Better than those of as many dimensions made from these very sentences."""
    texts, y = sentences
    vectors = {
        "skal-tiny": SentenceEncoder("skal-tiny").fit().transform(texts),
        "TF-IDF": make_pipeline(
            TfidfVectorizer(sublinear_tf=True), TruncatedSVD(128, random_state=0)
        ).fit_transform(texts),
    }
    neighbours = KNeighborsClassifier(10, metric="cosine")
    accuracy = {
        name: cross_val_score(neighbours, X, y, cv=3).mean()
        for name, X in vectors.items()
    }
    assert accuracy["skal-tiny"] > accuracy["TF-IDF"] + 0.02


def test_scikit_learn_and_joblib_take_it(fitted, tmp_path):
    assert clone(fitted).model == "skal-tiny"
    search = GridSearchCV(clone(fitted), {"lr": [1e-4, 1e-3]}, cv=2, n_jobs=1)
    assert search.fit(TEXTS, LABELS).best_estimator_.model == "skal-tiny"
    joblib.dump(fitted, tmp_path / "classifier.joblib")
    loaded = joblib.load(tmp_path / "classifier.joblib")
    assert np.array_equal(loaded.predict_proba(TEXTS), fitted.predict_proba(TEXTS))
    assert np.array_equal(loaded.token_surprisal(TEXTS), fitted.token_surprisal(TEXTS))


def test_a_pickle_needs_no_box(fitted, tmp_path, monkeypatch):
    dump = pickle.dumps(fitted)
    expected = fitted.predict_proba(TEXTS)
    monkeypatch.setattr("skal.neural._checkpoint._IN_THE_BOX", ())
    assert np.array_equal(pickle.loads(dump).predict_proba(TEXTS), expected)


def test_the_name_means_the_box_and_a_path_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("skal-tiny").mkdir()
    assert locate("skal-tiny") == str(BOX)
    SentenceEncoder("skal-tiny").fit()
    with pytest.raises(ModelNotFoundError, match=r"no file config\.json"):
        SentenceEncoder(Path("skal-tiny")).fit()
    with pytest.raises(ModelNotFoundError, match=r"no file config\.json"):
        SentenceEncoder("./skal-tiny").fit()
    shutil.copytree(BOX, "skal-tiny", dirs_exist_ok=True)
    SentenceEncoder(Path("skal-tiny")).fit()


def test_an_unknown_model_points_to_the_box():
    with pytest.raises(ModelNotFoundError, match="'skal-tiny' needs neither"):
        SentenceEncoder("no/such-model").fit()


def test_surprisal_tells_odd_words_from_fitting_ones():
    classifier = TransformerClassifier("skal-tiny", max_length=16)
    texts = ["The number of rows in the matrix.", "The number of rows wolf the matrix."]
    tokenizer = AutoTokenizer.from_pretrained(BOX)
    rows = [tokenizer.tokenize(text) for text in texts]
    assert rows[0][4] == "in"
    picked = np.zeros((2, 16), dtype=bool)
    picked[:, 5] = True  # after [CLS]
    surprisal = classifier.token_surprisal(texts, picked)[:, 5]
    assert surprisal[0] < surprisal[1]


def hide(ids, special, mask, seed=0):
    """`ids` with 15 % of the tokens masked, and which ones."""
    rng = np.random.RandomState(seed)
    hidden = (rng.random_sample(ids.shape) < 0.15) & ~np.isin(ids, special)
    return np.where(hidden, mask, ids), hidden


def test_it_predicts_masked_words(sentences):
    """Better than by the frequency of words in these very sentences."""
    texts, _ = sentences
    tokenizer = AutoTokenizer.from_pretrained(BOX)
    model = AutoModelForMaskedLM.from_pretrained(BOX).float().eval()
    batch = tokenizer(texts, padding=True, truncation=True, return_tensors="np")
    ids = batch["input_ids"]
    masked, hidden = hide(ids, tokenizer.all_special_ids, tokenizer.mask_token_id)
    target = ids[hidden]
    with torch.no_grad():
        logits = model(
            torch.from_numpy(masked),
            attention_mask=torch.from_numpy(batch["attention_mask"]),
        ).logits[torch.from_numpy(hidden)]
    log_proba = logits.log_softmax(dim=1)[range(len(target)), target]
    counts = Counter(ids[~np.isin(ids, tokenizer.all_special_ids)].tolist())
    frequency = np.array([counts[token] for token in target]) / counts.total()
    assert -log_proba.mean() < -np.log(frequency).mean() - 1
    assert -log_proba.mean() < np.log(len(tokenizer)) - 3
    (most_frequent, _), *_ = counts.most_common(1)
    right = (logits.argmax(dim=1).numpy() == target).mean()
    assert right > 2 * (target == most_frequent).mean()


def test_few_words_are_cut_into_letters(sentences):
    text = " ".join(sentences[0])
    tokenizer = AutoTokenizer.from_pretrained(BOX)
    tokens = tokenizer.tokenize(text)
    words = re.findall(r"\w+|[^\w\s]", text)
    assert tokenizer.unk_token not in tokens
    assert len(tokens) < 1.2 * len(words)


def test_the_documentation_says_what_it_saw():
    about = json.loads((BOX / "corpus.json").read_text(encoding="utf-8"))
    text = re.sub(r"\s+", " ", DOCS.read_text(encoding="utf-8"))
    training = about["training"]
    figures = [
        f"{about['sentences']:,} sentences",
        f"{about['held_out_sentences']:,} of them",
        f"{training['steps']:,} steps",
        f"{training['held_out_loss'][0]:.2f}",
    ]
    for figure in figures:
        assert figure in text
    largest = sorted(
        about["packages"], key=lambda x: -about["packages"][x]["sentences"]
    )
    for name in largest[:10]:
        version = about["packages"][name]["version"]
        assert f"{'Python' if name == 'python' else name} {version}" in text
    assert sum(p["sentences"] for p in about["packages"].values()) == about["sentences"]
