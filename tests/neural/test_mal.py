# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The networks of MAL: the losses they are trained by, and which way each step goes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from skal.functional import logit_entropy
from skal.neural import MinimaxModule, fit_mal, run_vectors

CPU = torch.device("cpu")
CASES = sorted((Path(__file__).parents[1] / "golden" / "mal").glob("*.npz"))
RNG = np.random.RandomState(0)
CODES = np.arange(40) % 2
LABELED = (RNG.normal(size=(40, 3)) + 2 * CODES[:, None]).astype(np.float32)
POOL = (RNG.normal(size=(90, 3)) * 2 + 1).astype(np.float32)


def fit(labeled=LABELED, codes=CODES, pool=POOL, **kwargs):
    params = {"hidden_layer_sizes": (16,), "n_components": 8, "temperature": 0.05}
    params |= {"entropy_weight": 0.1, "n_steps": 20, "batch_size": 16, "lr": 5e-3}
    params |= {"seed": 0, "device": CPU}
    module = fit_mal(labeled, codes, pool, **(params | kwargs))
    module.zero_grad()
    return module


def outputs(module, X=POOL):
    return run_vectors(module, module, X)


# The losses.


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_losses_of_the_training_are_the_golden_ones(path):
    case = np.load(path)
    (n_features, n_classes), temperature = case["W"].shape, float(case["T"])
    module = MinimaxModule(
        torch.nn.Identity(), n_features, (1,), n_features, n_classes, temperature
    )
    module.features = torch.nn.Identity()
    module.weights = torch.nn.Parameter(torch.tensor(case["W"]))
    rows, codes = torch.tensor(case["F_raw"]), torch.tensor(case["y"])
    loss = module.task_loss(rows, codes)
    assert loss.item() == pytest.approx(float(case["L_CE"]))
    assert module.game_loss(rows).item() == pytest.approx(-float(case["L_Ent"]))
    proba = torch.softmax(module.classify(module.represent(rows)), dim=1)
    np.testing.assert_allclose(proba.detach(), case["probs"], rtol=1e-6, atol=1e-12)


def mean_entropy(module):
    return logit_entropy(outputs(module)["logits"]).mean()


@pytest.mark.parametrize("seed", range(5))
def test_the_classifier_raises_the_entropy_and_the_features_lower_it(seed):
    for side, sign in [("classifier", 1), ("features", -1)]:
        module = fit(seed=seed)
        before = mean_entropy(module)
        parameters = {
            "classifier": [module.weights],
            "features": list(module.features.parameters()),
        }[side]
        module.game_loss(torch.tensor(POOL)).backward()
        torch.optim.SGD(parameters, lr=1e-3).step()
        assert sign * (mean_entropy(module) - before) > 1e-5


def test_both_sides_descend_the_cross_entropy():
    for side in ("classifier", "features"):
        module = fit(n_steps=1)
        batch = torch.tensor(LABELED), torch.tensor(CODES)
        parts = {"classifier": [module.weights], "features": module.features}
        parameters = parts[side]
        if side == "features":
            parameters = list(parameters.parameters())
        before = module.task_loss(*batch)
        before.backward()
        torch.optim.SGD(parameters, lr=1e-3).step()
        assert module.task_loss(*batch) < before


def test_the_discriminator_leaves_the_features_alone():
    module = fit(n_steps=1)
    batch = torch.tensor(LABELED), torch.tensor(POOL)
    before = module.discriminator_loss(*batch)
    before.backward()
    assert all(p.grad is None for p in module.features.parameters())
    assert module.weights.grad is None
    torch.optim.SGD(module.discriminator.parameters(), lr=0.1).step()
    assert module.discriminator_loss(*batch) < before


def test_labels_are_learned():
    def accuracy(module):
        logits = outputs(module, LABELED)["logits"]
        return (logits.argmax(axis=1) == CODES).mean()

    first, last = (accuracy(fit(n_steps=n)) for n in (1, 200))
    assert last > 0.95 > first


def test_shuffled_labels_in_their_place_would_not_be_found_again():
    shuffled = np.random.RandomState(1).permutation(CODES)
    logits = outputs(fit(codes=shuffled, n_steps=100), LABELED)["logits"]
    assert (logits.argmax(axis=1) == CODES).mean() < 0.9


def test_features_have_length_1():
    features = fit().represent(torch.tensor(POOL))
    torch.testing.assert_close(features.norm(dim=1), torch.ones(90))


# How it is trained.


def test_without_weight_the_game_is_not_played():
    entropies = [mean_entropy(fit(entropy_weight=w, n_steps=100)) for w in (0.0, 3.0)]
    assert abs(entropies[0] - entropies[1]) > 0.01


def test_the_seed_decides_and_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    runs = [outputs(fit(seed=s)) for s in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), before)
    for name in ("logits", "labeled"):
        first, again, other = (run[name] for run in runs)
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("n_labeled", "n_pool"), [(1, 1), (1, 90), (40, 1), (3, 5), (40, 90)]
)
def test_any_number_of_rows(n_labeled, n_pool):
    module = fit(LABELED[:n_labeled], CODES[:n_labeled], POOL[:n_pool], n_steps=3)
    found = outputs(module)
    assert found["logits"].shape == (90, min(n_labeled, 2))
    assert all(np.isfinite(values).all() for values in found.values())


def test_a_loss_that_overflows_says_what_to_change():
    with pytest.raises(FloatingPointError, match="must stay finite.*lower `lr`"):
        fit(lr=1e30)
