# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Which encoder it is that computed something, whichever process it lives in."""

import json
from hashlib import blake2b

import joblib
from sklearn.frozen import FrozenEstimator

from skal.utils._describe import describe

# Of scikit-learn's text vectorizers: the address of a parameter.
_ACCIDENTAL = frozenset({"_stop_words_id"})


def fingerprint_of(encoder):
    """A str that is equal for encoders that give equal vectors, as far as it is known.

    That of its method `fingerprint`, or a hash of its class, its parameters and all
    that it holds.
    """
    if hasattr(encoder, "fingerprint"):
        return encoder.fingerprint()
    if isinstance(encoder, FrozenEstimator):
        return fingerprint_of(encoder.estimator)
    state = json.dumps(_state(encoder), sort_keys=True)
    return blake2b(state.encode(), digest_size=16).hexdigest()


def _state(value):
    if hasattr(value, "fingerprint") or isinstance(value, FrozenEstimator):
        return fingerprint_of(value)
    if hasattr(value, "get_params") and not isinstance(value, type):
        held = {
            name: _state(thing)
            for name, thing in vars(value).items()
            if name not in _ACCIDENTAL
        }
        return {"class": f"{type(value).__module__}.{type(value).__qualname__}", **held}
    if isinstance(value, (list, tuple)):
        return [_state(item) for item in value]
    return joblib.hash(value) if isinstance(value, dict) else describe(value)


def name_of(encoder):
    """What error texts call it."""
    words = " ".join(repr(encoder).split())
    return words if len(words) <= 120 else f"{words[:117]}..."
