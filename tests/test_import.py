# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Importing skal is light, and every public name is there all the same."""

import importlib
import importlib.metadata
import subprocess
import sys

import pytest

import skal

HEAVY = {"torch", "transformers", "faiss", "skorch", "matplotlib"}

PACKAGES = ["base", "datasets", "exceptions", "filters", "functional", "inspection"]
PACKAGES += ["metrics", "stopping", "strategies", "text", "utils"]
PACKAGES += ["utils.estimator_checks"]


@pytest.mark.parametrize(
    "statement",
    [
        "import skal",
        "import skal.strategies, skal.filters, skal.functional, skal.metrics",
        "import skal.stopping",
        "from skal import ActiveLearner, QueryPipeline, make_query_pipeline",
        "import skal.datasets, skal.utils, skal.utils.estimator_checks",
        "from skal import CEAL, Committee, PseudoLabelClassifier",
        "from skal import NoisyOracle, simulate",
        "import skal.inspection",
    ],
)
def test_no_heavy_import(statement):
    code = f"{statement}\nimport sys\nprint(sorted({HEAVY!r} & set(sys.modules)))"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"


def test_public_names_are_there():
    for name in skal.__all__:
        assert getattr(skal, name).__name__ == name
        assert name in dir(skal)
    assert skal.__version__ == importlib.metadata.version("skal")
    with pytest.raises(AttributeError, match="no attribute 'Learner'"):
        _ = skal.Learner


@pytest.mark.parametrize("package", PACKAGES)
def test_all_is_sorted_and_true(package):
    module = importlib.import_module(f"skal.{package}")
    names = list(module.__all__)
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))
    for name in module.__all__:
        assert hasattr(module, name)
