# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""What only a GPU can show."""

import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

from skal.text import DiverseEnsemble, SnapshotEnsemble

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.mark.parametrize("mixed_precision", [None, "bf16", "fp16"])
def test_trains_on_the_gpu(make_classifier, toy_texts, mixed_precision):
    X, y = toy_texts
    state = torch.cuda.get_rng_state()
    clf = make_classifier(device="auto", mixed_precision=mixed_precision).fit(X, y)
    assert next(clf.net_.module_.parameters()).is_cuda
    assert clf.score(X, y) > 0.9
    assert torch.equal(torch.cuda.get_rng_state(), state)


def test_agrees_with_the_cpu_after_a_pickle(make_classifier, toy_texts):
    X, y = toy_texts
    clf = make_classifier(device="cuda").fit(X, y)
    loaded = pickle.loads(pickle.dumps(clf)).set_params(device="cpu")
    np.testing.assert_allclose(loaded.predict_proba(X), clf.predict_proba(X), atol=1e-3)


def test_loads_where_there_is_no_gpu(make_classifier, toy_texts, tmp_path):
    X, y = toy_texts
    path = tmp_path / "clf.pickle"
    path.write_bytes(pickle.dumps(make_classifier(device="cuda").fit(X, y)))
    code = textwrap.dedent(f"""
        import os, pickle
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        clf = pickle.load(open({str(path)!r}, "rb"))
        assert clf.predict_proba(["good"]).shape == (1, 2)
    """)
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("store_dtype", ["float32", "float16"])
@pytest.mark.parametrize("cls", [SnapshotEnsemble, DiverseEnsemble])
def test_ensembles(make_classifier, toy_texts, cls, store_dtype):
    X, y = toy_texts
    clf = make_classifier(device="cuda", store_dtype=store_dtype)
    ensemble = cls(clf, n_estimators=2, random_state=0).fit(X, y)
    samples = ensemble.sample_proba(X)
    assert np.abs(samples[0] - samples[1]).max() > 1e-3
    for member in ensemble.estimators_:
        assert next(member.net_.module_.parameters()).is_cuda
    loaded = pickle.loads(pickle.dumps(ensemble))
    for member in loaded.estimators_:
        weights = next(member.net_.module_.parameters())
        assert (weights.device.type, weights.dtype) == ("cpu", torch.float32)
    np.testing.assert_allclose(loaded.sample_proba(X), samples, atol=3e-3)
