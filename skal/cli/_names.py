# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Strategies, filters and models by name."""

import difflib
import inspect
import re
from pathlib import Path

from skal.cli._errors import UsageError

BOX, TFIDF = "skal-tiny", "tfidf"
_SHORT = {"random": "RandomSampling"}
NO_FILTER = "none"


def meant(word, words):
    """A space and the question whether a close word was meant; nothing without one."""
    plain = {_plain(known): known for known in reversed(list(words))}
    close = difflib.get_close_matches(_plain(str(word)), plain, n=1)
    return f" Did you mean {plain[close[0]]!r}?" if close else ""


def _plain(name):
    return re.sub(r"[^a-z0-9]", "", name.lower()) or name


def make_learner(strategy, filter_, model, folder=Path()):
    """A learner, and what it is called.

    Parameters
    ----------
    strategy, filter_, model : str or dict
        A name, or a dict with the key "name" and parameters. The filter may be "none".
    folder : pathlib.Path
        Where the path of a checkpoint starts from.

    Returns
    -------
    name : str
        As one would write it: ``AnchorAL(REAL(n_clusters=50), max_subpool=500)``.
    learner : ActiveLearner

    Raises
    ------
    UsageError
        If there is no such name or parameter, a parameter has a wrong value, or the
        strategy reads something that the model does not offer.
    """
    from skal import ActiveLearner, filters, strategies
    from skal._strategy import check_readable
    from skal.exceptions import MissingCapabilityError

    classifier = make_classifier(model, folder)
    name, picker = _make(strategy, strategies, "strategy")
    if _plain(_name_of(filter_)) != NO_FILTER:
        extra = {"strategy": picker} | _encoder_for(model, filter_)
        name, picker = _make(filter_, filters, "filter", name, extra)
    try:
        check_readable(picker, classifier, classifier, ["a text"])
    except MissingCapabilityError as error:
        raise UsageError(str(error), _name_of(strategy)) from error
    return name, ActiveLearner(classifier, picker)


def make_classifier(model, folder=Path()):
    """The classifier that a name stands for.

    Parameters
    ----------
    model : str or dict
        "tfidf", "skal-tiny", the name of a checkpoint or its folder; or a dict with
        that under "name", and parameters of the classifier.
    folder : pathlib.Path
        Where the path of a checkpoint starts from.

    Returns
    -------
    classifier
    """
    name, params = _split(model, "model")
    classifier = _transformer(name, folder) if is_transformer(model) else _tfidf()
    _check_parameters(name, params, classifier.get_params())
    classifier.set_params(**params)
    _check_values(classifier._validate_params, name, params)
    return classifier


def is_transformer(model):
    """Whether a model takes torch and transformers, which are slow to import."""
    return _plain(_name_of(model)) != TFIDF


def check_model(model, folder=Path()):
    """Refuse a checkpoint that is not there before any other work is done."""
    classifier = make_classifier(model, folder)
    if is_transformer(model):
        from skal.text import SentenceEncoder

        SentenceEncoder(classifier.model).fit()


def _transformer(name, folder):
    from skal import TransformerClassifier

    if name == BOX:
        return TransformerClassifier(BOX, lr=1e-3)
    path = folder / name
    return TransformerClassifier(str(path.resolve()) if path.is_dir() else name)


def _tfidf():
    """Logistic regression on TF-IDF.

    The singular vectors give strategies that compare rows something dense to read. For
    up to 256 labelled rows they span them all, so they change no probability. With
    scikit-learn's own C and weights a rare class is hardly ever predicted: on SMS Spam
    not once with 225 labels.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from skal.cli._lsa import LSA

    regression = LogisticRegression(C=10.0, class_weight="balanced", max_iter=1000)
    return make_pipeline(TfidfVectorizer(sublinear_tf=True), LSA(256), regression)


def _encoder_for(model, filter_):
    """{"encoder": ...} for a filter that compares rows, if the model has none."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    from skal import filters
    from skal.cli._lsa import LSA

    name, params = _split(filter_, "filter")
    takes_one = "encoder" in _parameters(_find(name, filters, "filter"))
    if is_transformer(model) or "encoder" in params or not takes_one:
        return {}
    vectorizer = TfidfVectorizer(sublinear_tf=True)
    return {"encoder": make_pipeline(vectorizer, LSA(100, random_state=0))}


def _make(spec, package, kind, inner=None, extra=None):
    name, params = _split(spec, kind)
    cls = _find(name, package, kind)
    nests = kind == "strategy"
    known = [key for key in _parameters(cls) if nests or key != "strategy"]
    _check_parameters(name, params, known)
    words = [f"{key}={value!r}" for key, value in params.items() if key != "strategy"]
    if "strategy" in params:
        inner, params["strategy"] = _make(params["strategy"], package, kind)
    made = cls(**(extra or {}), **params)
    _check_values(made._check_parameters, name, params)
    words = [inner, *words] if inner else words
    title = cls.__name__
    return f"{title}({', '.join(words)})" if words else title, made


def _parameters(cls):
    return sorted(cls._get_param_names())


def _find(name, package, kind):
    offered = [known for known in package.__all__ if _has_defaults(package, known)]
    names = {_plain(known): known for known in offered}
    wanted = _plain(_SHORT.get(name, name))
    if wanted not in names:
        known = [*offered, *([NO_FILTER] if kind == "filter" else [])]
        raise UsageError(
            f"There is no {kind} {name!r}.{meant(name, known)} There are "
            f"{', '.join(known)}.",
            name,
        )
    return getattr(package, names[wanted])


def _has_defaults(package, name):
    """Whether it is a class whose parameters, if it has any, all have defaults.

    What is made of several strategies, or of another classifier, takes Python.
    """
    thing = getattr(package, name)
    if not inspect.isclass(thing):
        return False
    parameters = inspect.signature(thing).parameters.values()
    return all(parameter.default is not parameter.empty for parameter in parameters)


def _name_of(spec):
    return spec.get("name", "") if isinstance(spec, dict) else spec


def _split(spec, kind):
    """Name and parameters."""
    if isinstance(spec, str):
        return spec, {}
    is_table = isinstance(spec, dict)
    if not is_table or not isinstance(spec.get("name"), str):
        raise UsageError(
            f"A {kind} is a name, or a table that holds a name, such as "
            f'{{name = "...", parameter = 1}}. Got {spec!r:.60}.',
            *(map(str, spec) if is_table else [str(spec)]),
        )
    return spec["name"], {key: value for key, value in spec.items() if key != "name"}


def _check_parameters(name, params, known):
    for key in params:
        if key not in known:
            raise UsageError(
                f"{name} has no parameter {key!r}.{meant(key, known)} It has "
                f"{', '.join(sorted(known)) or 'none'}.",
                name,
                key,
            )


def _check_values(check, name, params):
    try:
        check()
    except (TypeError, ValueError) as error:
        culprit = [key for key in params if repr(key) in str(error)]
        raise UsageError(str(error), name, *culprit[:1]) from error
