# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The loss module, its ranking loss and when its gradient reaches the classifier."""

from pathlib import Path

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from skal.neural import LossPrediction
from skal.neural._loss_prediction import LossModule, _pick_layers, ranking_losses
from skal.text import DenseClassifier, LossPredictingClassifier, TransformerClassifier

GOLDEN = Path(__file__).parents[1] / "golden" / "loss_prediction"
BATCHES = sorted(set(GOLDEN.glob("*.npz")) - {GOLDEN / "lossnet_forward.npz"})
of_batches = pytest.mark.parametrize("path", BATCHES, ids=lambda path: path.stem)


def recipe(**params):
    defaults = {"margin": 1.0, "loss_weight": 1.0, "hidden_size": 4}
    defaults |= {"detach_after": 0.6, "layers": "auto"}
    return LossPrediction(**(defaults | params))


def ranked(case, ranking_losses=ranking_losses):
    """The ranking loss pair by pair, its mean, and the gradient of the mean."""
    predicted = torch.tensor(case["pred_loss"], requires_grad=True)
    losses = torch.tensor(case["target_loss"], requires_grad=True)
    ranking = ranking_losses(predicted, losses, float(case["margin"]))
    ranking.mean().backward()
    assert losses.grad is None
    return ranking.detach().numpy(), predicted.grad.numpy()


def assert_golden(case, ranking, grad):
    np.testing.assert_allclose(ranking, case["loss_none"], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(ranking.mean(), case["loss_mean"], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(grad, case["grad_pred"], rtol=1e-6, atol=1e-12)


@of_batches
def test_the_ranking_loss_is_the_golden_one(path):
    case = np.load(path)
    assert_golden(case, *ranked(case))


@pytest.mark.parametrize(
    "path",
    # Equal losses are equal no more once they have been through the logits.
    [path for path in BATCHES if path.stem != "ties_in_target"],
    ids=lambda path: path.stem,
)
def test_the_recipe_adds_the_golden_mean_to_the_classifiers_loss(path):
    """Logits of two classes that make the losses of the case."""
    case = np.load(path)
    codes = torch.zeros(len(case["target_loss"]), dtype=torch.int64)
    losses = torch.tensor(case["target_loss"])
    logits = torch.stack([torch.zeros_like(losses), torch.log(losses.exp() - 1)], dim=1)
    predicted = torch.tensor(case["pred_loss"])
    for weight in (1.0, 0.5):
        total = recipe(margin=float(case["margin"]), loss_weight=weight).loss(
            (logits, predicted), codes, None
        )
        expected = losses.mean() + weight * case["loss_mean"]
        assert total.item() == pytest.approx(expected.item(), rel=1e-5)


def other_pairs(predicted, losses, margin):
    """Row i with row i + B / 2."""
    n = len(predicted) // 2
    by, larger = predicted[:n] - predicted[n:], losses[:n] > losses[n:]
    return (margin - torch.where(larger, by, -by)).clamp(min=0)


def other_sign(predicted, losses, margin):
    return ranking_losses(predicted, -losses, margin)


@pytest.mark.parametrize("mutant", [other_pairs, other_sign])
def test_another_ranking_loss_would_fail(mutant):
    case = np.load(GOLDEN / "s2_B128.npz")
    with pytest.raises(AssertionError):
        assert_golden(case, *ranked(case, mutant))


def golden_module(case):
    sizes = [case[f"feat{i}"].shape[1] for i in range(4)]
    module = LossModule([0, 1, 2, 3], sizes, len(case["FC1_bias"]))
    layers = {f"FC{i + 1}": branch for i, branch in enumerate(module.branches)}
    layers["linear"] = module.last_linear
    with torch.no_grad():
        for name, layer in layers.items():
            layer.weight[:] = torch.tensor(case[f"{name}_weight"])
            layer.bias[:] = torch.tensor(case[f"{name}_bias"])
    return module


def test_the_modules_output_is_the_golden_one():
    """Each feature map averaged over its positions, as the authors' network does."""
    case = np.load(GOLDEN / "lossnet_forward.npz")
    states = [torch.tensor(case[f"feat{i}"].mean(axis=(2, 3))) for i in range(4)]
    with torch.no_grad():
        predicted = golden_module(case)(states)
    np.testing.assert_allclose(predicted, case["out"][:, 0], rtol=1e-5, atol=1e-6)


def test_there_are_golden_cases():
    assert len(BATCHES) == 6


@pytest.mark.parametrize("n", [3, 7])
def test_of_an_odd_batch_one_row_has_no_partner(n):
    predicted = torch.arange(float(n), requires_grad=True)
    ranking = ranking_losses(predicted, torch.arange(float(n)).flip(0), 1.0)
    # Pairs (0, n - 1), (1, n - 2), ...: each is the wrong way round.
    gaps = np.arange(n - 1, 0, -2)
    np.testing.assert_allclose(ranking.detach(), 1.0 + gaps)
    ranking.sum().backward()
    assert predicted.grad.tolist() == [-1.0] * (n // 2) + [0.0] + [1.0] * (n // 2)


def test_a_batch_of_one_row_has_no_pair():
    logits = torch.tensor([[1.0, 2.0]], requires_grad=True)
    predicted = torch.tensor([3.0], requires_grad=True)
    codes = torch.tensor([0])
    total = recipe().loss((logits, predicted), codes, None)
    assert total.item() == torch.nn.functional.cross_entropy(logits, codes).item()
    total.backward()
    assert predicted.grad.tolist() == [0.0]


@pytest.mark.parametrize(
    ("n_layers", "layers"),
    [(1, [1]), (2, [1, 2]), (4, [1, 2, 3, 4]), (6, [2, 3, 5, 6]), (12, [3, 6, 9, 12])],
)
def test_layers_are_spread_evenly(n_layers, layers):
    assert _pick_layers("auto", n_layers) == layers


class _Gradient(Callback):
    """Notes, epoch by epoch, whether predicted losses have a gradient in the encoder.

    The list is the class's, as callbacks are copied.
    """

    seen = []

    def on_train_begin(self, net, **kwargs):
        self.seen.clear()

    def on_epoch_begin(self, net, **kwargs):
        inputs, codes = net.dataset_.__getitems__(list(range(8)))
        module = net.module_.train()
        logits, predicted = net.infer(inputs)
        losses = torch.nn.functional.cross_entropy(logits, codes, reduction="none")
        ranking = ranking_losses(predicted, losses, 1.0).mean()
        named = dict(module.named_parameters())
        own = {key for key in named if key.startswith("loss_module.")}
        grads = torch.autograd.grad(ranking, list(named.values()), allow_unused=True)
        flows = {
            key
            for key, grad in zip(named, grads, strict=True)
            if grad is not None and grad.abs().max() > 0
        }
        assert flows & own
        self.seen.append(bool(flows - own))


SHARES = [(0.6, 3), (0.0, 0), (1.0, 5), (0.3, 2)]


@pytest.mark.parametrize(("detach_after", "n_attached"), SHARES)
def test_the_hidden_states_are_detached_in_time(detach_after, n_attached):
    X = np.random.RandomState(0).normal(size=(40, 3))
    network = DenseClassifier(
        (6, 5), max_epochs=5, batch_size=8, device="cpu", callbacks=[_Gradient()]
    )
    clf = LossPredictingClassifier(network, detach_after=detach_after)
    for _ in range(2):  # a further fit begins anew
        clf.fit(X, X[:, 0] > 0)
        assert _Gradient.seen == [True] * n_attached + [False] * (5 - n_attached)


def test_the_hidden_states_of_a_transformer_are_detached_in_time(
    tiny_checkpoint, toy_texts
):
    classifier = TransformerClassifier(
        tiny_checkpoint,
        max_epochs=2,
        min_steps=0,
        batch_size=20,
        device="cpu",
        callbacks=[_Gradient()],
    )
    LossPredictingClassifier(classifier, detach_after=0.5).fit(*toy_texts)
    assert _Gradient.seen == [True, False]


class _Clipped(Callback):
    """Notes the length of each part's gradient as it goes into a step."""

    seen = []

    def on_train_begin(self, net, **kwargs):
        self.seen.clear()

    def on_batch_end(self, net, **kwargs):
        named = net.module_.named_parameters()
        parts = {True: [], False: []}
        for name, parameter in named:
            if parameter.grad is not None:
                parts["loss_module" in name].append(parameter.grad.flatten())
        self.seen.append([float(torch.cat(part).norm()) for part in parts.values()])


def test_gradients_are_clipped_apart(tiny_checkpoint, toy_texts):
    classifier = TransformerClassifier(
        tiny_checkpoint,
        max_epochs=1,
        min_steps=0,
        max_grad_norm=1e-3,
        device="cpu",
        callbacks=[_Clipped()],
    )
    LossPredictingClassifier(classifier, random_state=0).fit(*toy_texts)
    np.testing.assert_allclose(_Clipped.seen, 1e-3, rtol=1e-2)
