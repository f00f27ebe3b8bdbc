# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Docstrings say what the code has: parameters, returns, fitted attributes."""

import importlib
import inspect

import numpy as np
import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate
from sklearn.linear_model import LogisticRegression

import skal
from skal import ActiveLearner, Committee, PseudoLabelClassifier, QueryPipeline
from skal.filters import SEALS, UPS, AnchorAL, KMeansSub, RandSub
from skal.stopping import (
    Budget,
    ClassificationChange,
    DeltaF,
    KappaAverage,
    OverallUncertainty,
    Patience,
    Plateau,
    SelectedAccuracy,
)
from skal.strategies import (
    ALPS,
    BADGE,
    BALD,
    MAL,
    PLMKM,
    REAL,
    VAAL,
    AcTune,
    BatchBALD,
    BertKM,
    CartographyAL,
    ClassBalanced,
    Combine,
    ConsensusEntropy,
    ContrastiveAL,
    CoreSet,
    DiscriminativeAL,
    DiverseMiniBatch,
    Entropy,
    ExpectedGradientLength,
    ForgettingEvents,
    FTBertKM,
    KLDivergence,
    LabelDispersion,
    LeastConfidence,
    Margin,
    MeanSTD,
    PowerSampling,
    PredictedLoss,
    RandomSampling,
    SuggestiveAnnotation,
    VariationRatio,
    ViaProxy,
    VoteEntropy,
)
from skal.text import (
    BayesByBackpropClassifier,
    DenseClassifier,
    DiverseEnsemble,
    LossPredictingClassifier,
    PoolRecorder,
    SentenceEncoder,
    SnapshotEnsemble,
    SplitHeadClassifier,
    StoredEncoder,
    TransformerClassifier,
)

PACKAGES = ["base", "datasets", "filters", "functional", "inspection", "metrics"]
PACKAGES += ["stopping", "strategies", "text", "utils", "utils.estimator_checks"]

# numpydoc's codes for: no docstring, no summary or one that runs on, a parameter that
# is undocumented, unknown, out of order or without description, the same of returns.
REQUIRED = {"GL08", "SS01", "SS02", "SS03", "SS06", "RT01", "RT03"}
REQUIRED |= {"PR01", "PR02", "PR03", "PR04", "PR06", "PR07", "PR10", "YD01"}


def public_names():
    names = {f"skal.{name}" for name in skal.__all__}
    for package in PACKAGES:
        module = importlib.import_module(f"skal.{package}")
        names |= {f"skal.{package}.{name}" for name in module.__all__}
    return sorted(names | set(_methods(names)))


def _methods(names):
    for name in names:
        module, _, last = name.rpartition(".")
        thing = getattr(importlib.import_module(module), last)
        if inspect.isclass(thing):
            for method, value in vars(thing).items():
                if not method.startswith("_") and inspect.isfunction(value):
                    yield f"{name}.{method}"


@pytest.mark.parametrize("name", public_names())
def test_numpydoc(name):
    errors = [e for e in validate(name)["errors"] if e[0] in REQUIRED]
    assert errors == []


def documented(estimator):
    doc = NumpyDocString(inspect.cleandoc(type(estimator).__doc__))
    return {name for p in doc["Attributes"] for name in p.name.split(", ")}


def fitted_attributes(estimator):
    found = {name for name in vars(estimator) if name.endswith("_")}
    properties = inspect.getmembers(type(estimator), lambda v: isinstance(v, property))
    properties = {name for name, _ in properties if name.endswith("_")}
    return {name for name in found | properties if not name.startswith("_")}


X = np.random.RandomState(0).normal(size=(60, 2))
Y = (X[:, 0] > 0).astype(int)
# Set on data frames only.
OF_FRAMES = {"feature_names_in_"}


@pytest.mark.parametrize(
    "strategy",
    [
        RandomSampling(),
        Entropy(),
        LeastConfidence(),
        Margin(),
        BADGE(),
        RandSub(),
        AnchorAL(),
        SEALS(),
        UPS(),
        KMeansSub(),
        QueryPipeline([("s", Entropy())]),
        REAL(),
        CoreSet(),
        BertKM(),
        FTBertKM(),
        PLMKM(),
        DiverseMiniBatch(),
        SuggestiveAnnotation(),
        ExpectedGradientLength(),
        ContrastiveAL(),
        AcTune(),
        DiscriminativeAL(),
        VAAL(),
        MAL(),
        ClassBalanced(),
        Combine([Entropy()]),
        PowerSampling(),
        ViaProxy(None, LogisticRegression()),
    ],
    ids=lambda strategy: type(strategy).__name__,
)
def test_attributes_of_strategies(strategy):
    strategy.fit(X, Y, estimator=LogisticRegression().fit(X, Y))
    assert documented(strategy) - OF_FRAMES == fitted_attributes(strategy)


@pytest.mark.parametrize(
    "strategy",
    [
        VoteEntropy(),
        ConsensusEntropy(),
        KLDivergence(),
        BALD(),
        BatchBALD(),
        MeanSTD(),
        VariationRatio(),
    ],
    ids=lambda strategy: type(strategy).__name__,
)
def test_attributes_of_strategies_of_samples(strategy):
    committee = Committee(LogisticRegression(), n_estimators=2).fit(X, Y)
    strategy.fit(X, Y, estimator=committee)
    assert documented(strategy) - OF_FRAMES == fitted_attributes(strategy)


def test_attributes_of_the_committee():
    committee = Committee(LogisticRegression(), n_estimators=2).fit(X, Y)
    assert documented(committee) - OF_FRAMES == fitted_attributes(committee)


def test_attributes_of_pseudo_labels():
    classifier = DenseClassifier((5,), max_epochs=2, device="cpu", random_state=0)
    wrapped = PseudoLabelClassifier(classifier, threshold=0.69)
    wrapped.fit(X[:30], Y[:30], X_unlabeled=X[30:])
    assert documented(wrapped) - OF_FRAMES == fitted_attributes(wrapped)


@pytest.mark.parametrize(
    "strategy",
    [CartographyAL(), ForgettingEvents(), LabelDispersion()],
    ids=lambda strategy: type(strategy).__name__,
)
def test_attributes_of_strategies_of_training(strategy):
    classifier = DenseClassifier((5,), max_epochs=1, device="cpu")
    strategy.fit(X, Y, estimator=PoolRecorder(classifier).fit(X, Y, X_unlabeled=X))
    assert documented(strategy) - OF_FRAMES == fitted_attributes(strategy)


def test_attributes_of_predicted_loss():
    classifier = DenseClassifier((5,), max_epochs=1, device="cpu")
    classifier = LossPredictingClassifier(classifier).fit(X, Y)
    strategy = PredictedLoss().fit(X, Y, estimator=classifier)
    assert documented(strategy) - OF_FRAMES == fitted_attributes(strategy)


def test_attributes_of_alps(toy_texts):
    classifier = TransformerClassifier("skal-tiny", device="cpu")
    strategy = ALPS().fit(*toy_texts, estimator=classifier)
    assert documented(strategy) == fitted_attributes(strategy)


def test_attributes_of_the_learner():
    learner = ActiveLearner(LogisticRegression(), budget=20, keep_estimators=True)
    learner.fit(X, Y)
    assert documented(learner) - OF_FRAMES == fitted_attributes(learner)


@pytest.mark.parametrize(
    "criterion",
    [
        KappaAverage(),
        DeltaF(),
        ClassificationChange(),
        OverallUncertainty(),
        SelectedAccuracy(),
        Budget(10),
        Plateau(Budget(10)),
        Patience(Budget(10)),
        DeltaF() & Budget(10),
        DeltaF() | Budget(10),
    ],
    ids=lambda criterion: type(criterion).__name__,
)
def test_attributes_of_criteria(criterion):
    criterion.update(ActiveLearner(LogisticRegression()).fit(X, Y), X)
    assert documented(criterion) == fitted_attributes(criterion)


def test_attributes_of_the_dense_classifier():
    classifier = DenseClassifier((5,), max_epochs=1, device="cpu").fit(X, Y)
    assert documented(classifier) - OF_FRAMES == fitted_attributes(classifier)


@pytest.mark.parametrize("cls", [PoolRecorder, LossPredictingClassifier])
def test_attributes_of_wrappers(cls, tiny_checkpoint, toy_texts):
    of_vectors = cls(DenseClassifier((5,), max_epochs=1, device="cpu")).fit(X, Y)
    found = fitted_attributes(of_vectors)
    assert documented(of_vectors) - OF_FRAMES - {"tokenizer_"} == found
    of_texts = cls(TransformerClassifier(tiny_checkpoint, max_epochs=1, min_steps=1))
    found = fitted_attributes(of_texts.fit(*toy_texts))
    assert documented(of_texts) - OF_FRAMES - {"n_features_in_"} == found


@pytest.mark.parametrize("cls", [SnapshotEnsemble, DiverseEnsemble])
def test_attributes_of_the_ensembles(cls):
    network = DenseClassifier((5,), max_epochs=2, device="cpu")
    ensemble = cls(network, n_estimators=2).fit(X, Y)
    assert documented(ensemble) - OF_FRAMES == fitted_attributes(ensemble)


@pytest.mark.parametrize("cls", [SplitHeadClassifier, BayesByBackpropClassifier])
def test_attributes_of_the_classifiers_with_many_last_layers(cls):
    network = DenseClassifier((5,), max_epochs=1, device="cpu")
    classifier = cls(network).fit(X, Y)
    assert documented(classifier) - OF_FRAMES == fitted_attributes(classifier)


def test_attributes_of_the_text_estimators(tiny_checkpoint, toy_texts, tmp_path):
    classifier = TransformerClassifier(tiny_checkpoint, max_epochs=1, min_steps=1)
    classifier.fit(*toy_texts)
    assert documented(classifier) == fitted_attributes(classifier)
    encoder = SentenceEncoder(tiny_checkpoint).fit()
    assert documented(encoder) == fitted_attributes(encoder)
    stored = StoredEncoder(encoder, tmp_path / "store").fit(toy_texts[0])
    assert documented(stored) == fitted_attributes(stored)
