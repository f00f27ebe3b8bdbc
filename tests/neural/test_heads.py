# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Last layers that are many networks: against the kernels, and by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch

from skal import functional
from skal.neural._dense import DenseModule
from skal.neural._heads import (
    SplitHead,
    SplitHeadRecipe,
    VariationalHead,
    log_mean_proba,
)
from skal.neural._recipe import turns

FOLDER = Path(__file__).parents[1] / "golden" / "bayes_by_backprop"
GOLDEN = sorted(FOLDER.glob("*.npz"))
X = torch.from_numpy(np.random.RandomState(0).normal(size=(7, 4)).astype(np.float32))


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def posterior(case):
    """A variational head in double precision whose posterior is a golden one."""
    size = len(case["mu"])
    head = VariationalHead(torch.nn.Linear(size - 1, 1), 0.1).double()
    with torch.no_grad():
        head.mean.copy_(torch.from_numpy(case["mu"]))
        head.rho.copy_(torch.from_numpy(case["rho"]))
    head.drawn = head.draw(torch.from_numpy(case["eps"]))
    return head


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_terms_are_the_golden_ones_and_those_of_the_kernels(path):
    case = np.load(path)
    head = posterior(case)
    np.testing.assert_allclose(head.scale.detach(), case["sigma"], rtol=1e-12)
    np.testing.assert_allclose(head.drawn.detach(), case["w"], rtol=1e-12)
    exact = head.gaussian_divergence(1.0).item()
    assert exact == pytest.approx(float(case["kl_closed_form_std_normal"]))
    mixture = float(case["pi"]), float(case["sigma1"]), float(case["sigma2"])
    drawn = head.mixture_divergence(*mixture).item()
    assert drawn == pytest.approx(float(case["log_q"] - case["log_prior_mixture"]))
    # With two equal parts the mixture is the normal prior.
    drawn = head.mixture_divergence(0.3, 1.0, 1.0).item()
    assert drawn == pytest.approx(float(case["log_q"] - case["log_prior_std_normal"]))
    # Another prior than the golden one.
    expected = functional.gaussian_kl(case["mu"], case["sigma"], 0.3)
    assert head.gaussian_divergence(0.3).item() == pytest.approx(expected)


def test_gradient_of_the_divergence_is_that_of_the_kernel():
    case = np.load(GOLDEN[0])
    head = posterior(case)
    head.gaussian_divergence(0.5).backward()
    step = 1e-6
    for parameter, name in ((head.mean, "mu"), (head.rho, "rho")):
        for j in range(len(case["mu"])):
            ends = []
            for sign in (1, -1):
                moved = {key: case[key].copy() for key in ("mu", "rho")}
                moved[name][j] += sign * step
                sigma = np.logaddexp(0, moved["rho"])
                ends.append(functional.gaussian_kl(moved["mu"], sigma, 0.5))
            slope = (ends[0] - ends[1]) / (2 * step)
            assert parameter.grad[j].item() == pytest.approx(slope, rel=1e-4)


def test_a_variational_layer_begins_as_the_layer_it_replaces():
    layer = torch.nn.Linear(4, 3)
    head = VariationalHead(layer, 0.2).eval()
    torch.testing.assert_close(head(X), layer(X))
    torch.testing.assert_close(head.scale, torch.full((15,), 0.2))
    without = VariationalHead(torch.nn.Linear(4, 3, bias=False), 30.0)
    assert without.shape == (3, 5)
    mean, scale = without.posterior()
    assert not mean[:, -1].any()
    np.testing.assert_allclose(scale, 30.0, rtol=1e-6)


def test_one_draw_of_the_weights_serves_the_whole_batch():
    head = VariationalHead(torch.nn.Linear(4, 3), 0.5).train()
    same = X[:1].expand(5, 4)
    logits = head(same)
    torch.testing.assert_close(logits, logits[:1].expand(5, 3))
    weights = head.drawn.view(3, 5)
    torch.testing.assert_close(logits[0], weights[:, :-1] @ X[0] + weights[:, -1])
    assert (head(same) - logits).abs().min() > 1e-3


def test_no_parameter_of_a_variational_layer_is_a_matrix():
    """The optimiser lets matrices decay, which would be a second prior."""
    head = VariationalHead(torch.nn.Linear(4, 3), 0.5)
    assert [parameter.ndim for parameter in head.parameters()] == [1, 1]


def test_draws_spread_as_the_posterior_says():
    head = VariationalHead(torch.nn.Linear(4, 3), 0.3)
    draws = torch.stack([head.draw(torch.randn(15)) for _ in range(4000)]).detach()
    torch.testing.assert_close(draws.mean(0), head.mean.detach(), atol=0.03, rtol=0)
    torch.testing.assert_close(draws.std(0), torch.full((15,), 0.3), atol=0.02, rtol=0)


@pytest.mark.parametrize("head_size", [None, 6])
def test_heads_are_apart_in_training_and_one_in_prediction(head_size):
    head = SplitHead(4, 3, n_heads=5, head_size=head_size, rate=0.5)
    apart = head.train()(X)
    assert apart.shape == (7, 5, 3)
    assert (head(X) - apart).abs().max() > 1e-3  # other masks
    head.eval()
    each = torch.stack([part(X) for part in head.heads], dim=1)
    mean = each.softmax(dim=2).mean(dim=1)
    torch.testing.assert_close(head(X).exp(), mean)
    torch.testing.assert_close(log_mean_proba(each).exp(), mean)
    assert [head.turn for _ in turns(head, 3)] == [0, 1, 2]
    for turn in turns(head, 7):
        torch.testing.assert_close(head(X), each[:, turn % 5])
    assert head.turn is None
    arrays = head.layers()
    assert [len(layers) for layers in arrays] == [2 if head_size else 1] * 5
    weight, bias = arrays[3][0]
    np.testing.assert_array_equal(weight, head.heads[3][0].weight.detach())
    np.testing.assert_array_equal(bias, head.heads[3][0].bias.detach())


def test_each_head_drops_by_a_mask_of_its_own_and_none_without_a_rate():
    head = SplitHead(4, 2, n_heads=2, head_size=None, rate=0.5).train()
    with torch.no_grad():
        for part in head.heads:
            part[0].weight.fill_(1.0)
            part[0].bias.zero_()
    logits = head(torch.ones(200, 4))[..., 0].detach()
    assert set(logits.unique().tolist()) <= {0.0, 2.0, 4.0, 6.0, 8.0}
    assert 0.3 < (logits[:, 0] != logits[:, 1]).float().mean() < 0.95
    head.rate = 0.0
    torch.testing.assert_close(head(torch.ones(9, 4)), torch.full((9, 2, 2), 4.0))


def test_the_loss_of_heads_is_the_mean_of_their_cross_entropies():
    logits, codes = torch.randn(7, 5, 3), torch.randint(3, (7,))
    recipe = SplitHeadRecipe(stochastic=False)
    each = [torch.nn.functional.cross_entropy(logits[:, m], codes) for m in range(5)]
    torch.testing.assert_close(
        recipe.loss(logits, codes, None), torch.stack(each).mean()
    )


def test_samples_of_a_perceptron_take_their_heads_in_turn():
    module = DenseModule(4, [6], 3, 0.5)
    recipe = SplitHeadRecipe(stochastic=True, n_heads=2, head_size=None, rate=0.1)
    recipe.adapt(module, 3)
    masks = torch.ones(5, 6)
    samples = module.eval().forward_outputs(X, masks=masks)["samples"].detach()
    assert samples.shape == (7, 5, 3)
    for first, second in ((0, 2), (0, 4), (1, 3)):
        torch.testing.assert_close(samples[:, first], samples[:, second])
    assert (samples[:, 0] - samples[:, 1]).abs().max() > 1e-3
