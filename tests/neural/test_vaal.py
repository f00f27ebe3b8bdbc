# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The networks of VAAL: the losses they are trained by, what a step does."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import logit

from skal.neural import VariationalModule, fit_vaal, run_vectors
from skal.neural._duel import Draws, Standardize

CPU = torch.device("cpu")
GOLDEN = Path(__file__).parents[1] / "golden" / "vaal"
CASES = sorted(GOLDEN.glob("s*_B*.npz"))
RNG = np.random.RandomState(0)
LABELED = RNG.normal(size=(20, 3)).astype(np.float32)
POOL = (RNG.normal(size=(90, 3)) + np.repeat([0, 5, -5], 30)[:, None]).astype("f")


def fit(labeled=LABELED, pool=POOL, **kwargs):
    params = {"hidden_layer_sizes": (16,), "n_components": 4, "beta": 1.0}
    params |= {"adversary": 1.0, "n_steps": 20, "batch_size": 16, "lr": 5e-3}
    params |= {"seed": 0, "device": CPU}
    module = fit_vaal(labeled, pool, **(params | kwargs))
    module.zero_grad()
    return module


def logits(module, X=POOL):
    return run_vectors(module, module, X)["labeled"]


# The losses.


class Answers(torch.nn.Module):
    """Gives what it was told, one answer per call."""

    def __init__(self, *answers):
        super().__init__()
        self.answers = [torch.tensor(answer) for answer in answers]

    def forward(self, X):
        return self.answers.pop(0)


def golden_module(case):
    module = VariationalModule(torch.nn.Identity(), 1, (1,), 1)
    codes = [
        np.hstack([case["mu" + part], case["logvar" + part]]) for part in ("", "_u")
    ]
    module.encoder = Answers(*codes)
    module.decoder = Answers(case["recon"], case["recon_u"])
    module.discriminator = Answers(logit(case["d_l"]), logit(case["d_u"]))
    return module


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_losses_of_the_training_are_the_golden_ones(path):
    case = np.load(path)
    batch = [torch.tensor(case[key]) for key in ("x", "x_u")]
    n, d = case["x"].shape
    beta, adversary = case["beta"] * n * d / 2, case["adversary_param"] * d / 2
    loss = golden_module(case).encoder_loss(*batch, beta, adversary) * 2 / d
    assert loss.item() == pytest.approx(float(case["total_vae_loss"]))
    loss = golden_module(case).discriminator_loss(*batch)
    assert loss.item() == pytest.approx(float(case["discriminator_loss"]))


def test_one_step_of_each_side_moves_the_game_its_way():
    batch = torch.tensor(LABELED), torch.tensor(POOL)
    module = fit(n_steps=5)
    before = module.discriminator_loss(*batch)
    before.backward()
    assert all(p.grad is None for p in module.encoder.parameters())
    torch.optim.SGD(module.discriminator.parameters(), lr=1e-2).step()
    assert module.discriminator_loss(*batch) < before
    looks_labeled = [logits(module, X).mean() for X in (LABELED, POOL)]
    with torch.random.fork_rng():
        module.encoder_loss(*batch, beta=0, adversary=1e6).backward()
    torch.optim.SGD(module.encoder.parameters(), lr=1e-9).step()
    assert logits(module, LABELED).mean() > looks_labeled[0]
    assert logits(module, POOL).mean() > looks_labeled[1]


def test_training_reconstructs_the_rows():
    def lost(module):
        X = torch.tensor(POOL)
        with torch.inference_mode():
            reconstruction = module.decoder(module.encode(X)[0])
            return float(((reconstruction - module.standardize(X)) ** 2).mean())

    assert lost(fit(adversary=0, n_steps=200)) < 0.5
    assert lost(fit(n_steps=1)) > 0.9


def test_the_larger_beta_the_less_the_codes_say():
    spreads = []
    for beta in (0.1, 1.0, 100.0):
        means = fit(beta=beta, n_steps=100).encode(torch.tensor(POOL))[0]
        spreads.append(means.std(dim=0).mean().item())
    assert spreads[0] > spreads[1] > 5 * spreads[2]


def test_a_stronger_adversary_leaves_less_to_be_told():
    def told(adversary):
        module = fit(adversary=adversary, n_steps=200)
        known, others = logits(module, LABELED), logits(module)[30:]
        return known.mean() - others.mean()

    assert told(0.0) > 2 * told(100.0)


# How it is trained.


def test_the_seed_decides_and_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    first, again, other = (logits(fit(seed=s)) for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_autoencoder_takes_two_steps_for_one_of_the_discriminator(monkeypatch):
    steps = []
    step = torch.optim.Adam.step

    def counted(self):
        steps.append(sum(p.numel() for p in self.param_groups[0]["params"]))
        step(self)

    monkeypatch.setattr(torch.optim.Adam, "step", counted)
    module = fit(n_steps=3)
    sizes = {
        name: sum(p.numel() for p in part.parameters())
        for name, part in module.named_children()
    }
    both = sizes["encoder"] + sizes["decoder"]
    assert steps == [both, both, sizes["discriminator"]] * 3


def test_a_row_is_scored_on_its_own():
    module = fit()
    whole = logits(module)
    alone = np.concatenate([logits(module, POOL[i : i + 1]) for i in range(90)])
    np.testing.assert_allclose(alone, whole, rtol=1e-5, atol=1e-6)
    kinds = {type(part).__name__ for part in module.modules()}
    assert not [kind for kind in kinds if "Norm" in kind]
    assert [part.p for part in module.modules() if hasattr(part, "p")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("n_labeled", "n_pool"), [(1, 1), (1, 90), (20, 1), (3, 5), (20, 90)]
)
def test_any_number_of_rows(n_labeled, n_pool):
    module = fit(LABELED[:n_labeled], POOL[:n_pool], n_steps=3, batch_size=8)
    assert np.isfinite(logits(module)).all()


def test_a_loss_that_overflows_says_what_to_change():
    with pytest.raises(FloatingPointError) as caught:
        fit(lr=1e6)
    for told in ("loss of the", "must stay finite", "in step", "1e+06", "lower `lr`"):
        assert told in str(caught.value)


def test_ctrl_c_stops_the_training(monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(torch.optim.Adam, "step", interrupted)
    before = torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        fit()
    assert torch.equal(torch.get_rng_state(), before)


# What both games stand on.


def test_standardize():
    parts = LABELED * 3 + 7, POOL
    whole = np.concatenate(parts)
    out = Standardize(*parts)(torch.tensor(whole)).numpy()
    np.testing.assert_allclose(out.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(out.std(axis=0), 1, atol=1e-5)
    constant = np.full((3000, 2), 0.1, dtype=np.float32)
    out = Standardize(constant, constant)(torch.tensor(constant)).numpy()
    np.testing.assert_allclose(out, 0, atol=1e-6)


def test_draws_go_through_all_rows_again_and_again():
    vectors = np.arange(10, dtype=np.float32)[:, None]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        draws = Draws(vectors, 4, CPU)
        batches = [draws.next() for _ in range(40)]
    for rows, batch in batches:
        assert rows.shape == (4,)
        assert batch[:, 0].tolist() == rows.tolist()
    passes = [np.concatenate([batches[i][0], batches[i + 1][0]]) for i in (0, 2, 4)]
    assert all(len(set(rows.tolist())) == 8 for rows in passes)
    assert len({tuple(rows) for rows in passes}) == 3
    counts = np.bincount(np.concatenate([rows for rows, _ in batches]), minlength=10)
    assert counts.min() > 8  # of 16 expected
    assert Draws(vectors, 128, CPU).next()[0].shape == (10,)
