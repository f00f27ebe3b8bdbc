# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Active learning for text, as scikit-learn estimators."""

import importlib
import importlib.metadata

# Where each public name lives. Names are imported when they are first used, so that
# `import skal` loads neither torch nor transformers nor faiss.
_HOMES = {
    "ActiveLearner": "skal._learner",
    "CEAL": "skal._ceal",
    "Committee": "skal._committee",
    "NoisyOracle": "skal._oracle",
    "PoolFilter": "skal.base",
    "PseudoLabelClassifier": "skal._pseudo_labels",
    "QueryPipeline": "skal.base",
    "QueryStrategy": "skal.base",
    "TransformerClassifier": "skal.text",
    "make_query_pipeline": "skal.base",
    "simulate": "skal._simulation",
}

__all__ = sorted(_HOMES)


def __getattr__(name):
    if name == "__version__":
        return importlib.metadata.version("skal")
    if name not in _HOMES:
        raise AttributeError(f"module 'skal' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *_HOMES])
