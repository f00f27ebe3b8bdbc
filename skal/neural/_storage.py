# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Weights as a pickle holds them: on the CPU, and in half precision if asked to."""

import copy

import torch

_MOST = torch.finfo(torch.float16).max


def on_cpu(module):
    """The module itself if it lies on the CPU, else a copy of it that does.

    Pickled weights that live on a GPU load on no machine without one. The copy never
    takes a second set of weights on the device.
    """
    return _changed(module, lambda tensor: tensor.cpu())


def in_half(module):
    """A copy whose trained weights are float16; buffers stay as they are.

    So do weights of which one is beyond what float16 can hold (65,504).
    """
    return _changed(module, _half)


def in_single_(module):
    """Turn what `in_half` made back into float32, in place."""
    for weights in module.parameters():
        if weights.dtype == torch.float16:
            weights.data = weights.data.float()


def _half(tensor):
    is_weight = isinstance(tensor, torch.nn.Parameter) and tensor.is_floating_point()
    fits = is_weight and bool((tensor.abs() <= _MOST).all())
    return tensor.half() if fits else tensor


def _changed(module, change):
    """A copy with what `change` makes of each tensor; itself where that is the same."""
    tensors = [*module.parameters(), *module.buffers()]
    with torch.no_grad():
        changed = [change(tensor) for tensor in tensors]
    if all(new is old for new, old in zip(changed, tensors, strict=True)):
        return module
    copies = {}
    for new, old in zip(changed, tensors, strict=True):
        if isinstance(old, torch.nn.Parameter):
            new = torch.nn.Parameter(new.detach(), requires_grad=old.requires_grad)
        copies[id(old)] = new
    return copy.deepcopy(module, copies)
