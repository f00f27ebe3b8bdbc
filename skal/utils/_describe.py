# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Configurations in words: what JSON can hold, and what differs between two."""

import functools
import hashlib
import inspect
import pickle

import joblib
import numpy as np
from sklearn.frozen import FrozenEstimator


def describe(value):
    """Dicts, lists and strings that are equal where two values are.

    Estimators are described by their parameters, functions by their name and source,
    everything else by a hash of its content. What has neither source nor content to
    hash (a lambda typed at a prompt) is known by its name alone.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return [describe(item) for item in value]
    if isinstance(value, dict):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, functools.partial):
        return {"partial": describe([value.func, value.args, value.keywords])}
    if inspect.isroutine(value) or inspect.isclass(value):
        return _describe_code(value)
    if hasattr(value, "get_params") and not isinstance(value, FrozenEstimator):
        params = value.get_params(deep=False)
        return {"class": _name(type(value)), **describe(params)}
    return f"{_name(type(value))} {_hash(value)}".strip()


def _name(thing):
    return f"{thing.__module__}.{thing.__qualname__}"


def _describe_code(value):
    name = f"{getattr(value, '__module__', None)}.{value.__qualname__}"
    try:
        source = inspect.getsource(value)
    except (OSError, TypeError):
        return name
    return f"{name} {hashlib.sha256(source.encode()).hexdigest()[:16]}"


def _hash(value):
    try:
        return joblib.hash(value)
    except (pickle.PicklingError, TypeError, AttributeError):
        return ""


def first_difference(before, now, path=""):
    """(path, before, now) of the first difference of two descriptions, or None."""
    if before == now:
        return None
    if isinstance(before, dict) and isinstance(now, dict):
        for key in [*now, *(key for key in before if key not in now)]:
            inner = f"{path}.{key}" if path else key
            found = first_difference(before.get(key), now.get(key), inner)
            if found:
                return found
    return path, before, now
