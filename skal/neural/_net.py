# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The skorch net that fine-tunes a transformer."""

import copy
import math

import torch
from skorch import NeuralNetClassifier
from skorch.utils import TeeGenerator

from skal.neural._dynamics import TrainingDynamics
from skal.neural._precision import autocast, grad_scaler
from skal.neural._recipe import Recipe
from skal.neural._storage import in_half, in_single_, on_cpu
from skal.neural._tokens import as_it_is


class TransformerNet(NeuralNetClassifier):
    """A skorch net with the usual recipe for fine-tuning a transformer.

    AdamW without weight decay on biases and normalisation weights, a linear warm-up
    followed by a linear decay or a constant learning rate, gradient clipping and,
    optionally, mixed precision. Trains on a `TokenDataset`; `dynamics_` records it.

    Parameters
    ----------
    module : torch.nn.Module
        An instance whose `forward` returns logits.
    n_steps : int
        Optimiser steps that the learning rate schedule is laid out for.
    weight_decay : float
    warmup_ratio : float
        Part of `n_steps` in which the learning rate rises.
    lr_schedule : {"linear", "constant"}
        What it does after that.
    max_grad_norm : float or None
    mixed_precision : {"bf16", "fp16"} or None
    recipe : Recipe, default=None
        What a wrapper changes of all this.
    store_dtype : {"float32", "float16"}, default="float32"
        How a pickle holds the weights.
    **kwargs
        Parameters of `skorch.NeuralNetClassifier`.
    """

    def __init__(
        self,
        module,
        *,
        n_steps,
        weight_decay=0.01,
        warmup_ratio=0.1,
        lr_schedule="linear",
        max_grad_norm=1.0,
        mixed_precision=None,
        recipe=None,
        store_dtype="float32",
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        train_split=None,
        **kwargs,
    ):
        super().__init__(
            module,
            criterion=criterion,
            optimizer=optimizer,
            train_split=train_split,
            iterator_train__shuffle=True,
            iterator_train__collate_fn=as_it_is,
            iterator_valid__collate_fn=as_it_is,
            **kwargs,
        )
        self.n_steps = n_steps
        self.weight_decay = weight_decay
        self.warmup_ratio = warmup_ratio
        self.lr_schedule = lr_schedule
        self.max_grad_norm = max_grad_norm
        self.mixed_precision = mixed_precision
        self.recipe = Recipe() if recipe is None else recipe
        self.store_dtype = store_dtype

    def check_data(self, X, y=None):
        """Nothing to check: a `TokenDataset` holds the class codes."""

    def initialize_optimizer(self, triggered_directly=None):
        """AdamW, by groups: matrices decay, biases and norm weights do not."""
        params = [param for _, param in self.get_all_learnable_params()]
        params = [param for param in params if param.requires_grad]
        groups = {}
        for param in params:
            key = self.recipe.pace(param), param.ndim > 1
            groups.setdefault(key, []).append(param)
        groups = [
            {"params": some, "pace": pace, "weight_decay": decays * self.weight_decay}
            for (pace, decays), some in groups.items()
        ]
        fused = torch.device(self.device).type in ("cpu", "cuda")
        self.optimizer_ = self.optimizer(groups, lr=self.lr, fused=fused)
        return self

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Start counting steps."""
        super().on_train_begin(net, X=X, y=y, **kwargs)
        self.steps_done_ = 0
        self.scaler_ = grad_scaler(torch.device(self.device), self.mixed_precision)
        self.dynamics_ = TrainingDynamics(len(X), self.device)
        self.dataset_ = X

    def on_epoch_end(self, net, **kwargs):
        """Close the epoch's record."""
        super().on_epoch_end(net, **kwargs)
        self.dynamics_.end_epoch()
        self.recipe.end_epoch(self)

    def train_step(self, batch, **fit_params):
        """One optimiser step on one batch."""
        self._set_training(True)
        self._zero_grad_optimizer()
        self._set_learning_rate()
        inputs, codes = batch
        with autocast(torch.device(self.device), self.mixed_precision):
            output = self.infer(inputs, **fit_params)
        codes = codes.to(self.device)
        logits = self.recipe.logits(output)
        self.dynamics_.record(self.dataset_.rows, logits, codes)
        loss = self.recipe.loss(output, codes, self)
        self.scaler_.scale(loss).backward()
        self.scaler_.unscale_(self.optimizer_)
        self.notify(
            "on_grad_computed",
            named_parameters=TeeGenerator(self.get_all_learnable_params()),
            batch=batch,
            training=True,
        )
        if self.max_grad_norm is not None:
            for parameters in self.recipe.clipped_apart(self.module_):
                torch.nn.utils.clip_grad_norm_(parameters, self.max_grad_norm)
        self.scaler_.step(self.optimizer_)
        self.scaler_.update()
        self.steps_done_ += 1
        self.recipe.end_step(self)
        return {"loss": loss, "y_pred": logits}

    def _set_learning_rate(self):
        factor = self.recipe.learning_rate_factor(self.steps_done_, self)
        for group in self.optimizer_.param_groups:
            group["lr"] = self.lr * factor * group["pace"]

    def planned_factor(self, step):
        """The part of the peak learning rate that the schedule gives a step."""
        return learning_rate_factor(
            step, self.n_steps, self.warmup_ratio, self.lr_schedule
        )

    def trim_for_prediction(self):
        """Remove all that only training needs."""
        super().trim_for_prediction()
        self.module_.zero_grad(set_to_none=True)
        self.scaler_ = self.dynamics_ = self.dataset_ = self.recipe = None
        self.module = None

    def with_module(self, module):
        """A net that shares all with this one but its module."""
        return self._but(module_=module)

    def stored_as(self, dtype):
        """This net, or one that shares all with it but how a pickle holds it."""
        return self if dtype == self.store_dtype else self._but(store_dtype=dtype)

    def _but(self, **attributes):
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, **attributes)
        return twin

    def __getstate__(self):
        """State with the weights on the CPU, so that it loads on any machine."""
        module = on_cpu(self.module_)
        if self.store_dtype == "float16":
            module = in_half(module)
        portable = self._but(module_=module, device="cpu")
        return super(TransformerNet, portable).__getstate__()

    def __setstate__(self, state):
        super().__setstate__(state)
        in_single_(self.module_)

    def __deepcopy__(self, memo):
        """A copy by way of the state, but never in half precision."""
        twin = memo[id(self)] = object.__new__(type(self))
        state = self.stored_as("float32").__getstate__()
        twin.__setstate__(copy.deepcopy(state, memo))
        twin.store_dtype = self.store_dtype
        return twin


def learning_rate_factor(step, n_steps, warmup_ratio, schedule):
    """The part of the peak learning rate that step `step` (from 0) uses.

    It rises as 1/w, 2/w, ..., 1 over the w = ceil(warmup_ratio * n_steps) first steps;
    after them it stays at 1 ("constant") or falls to 1/(n_steps - w) ("linear").
    No step is wasted on a rate of zero.
    """
    n_warmup = math.ceil(warmup_ratio * n_steps)
    if step < n_warmup:
        return (step + 1) / n_warmup
    if schedule == "constant":
        return 1.0
    return max(n_steps - step, 1) / (n_steps - n_warmup)
