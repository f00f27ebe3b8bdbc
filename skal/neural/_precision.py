# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Mixed precision and compilation."""

import torch

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(device, mixed_precision):
    """The autocast context of "bf16" or "fp16"; one that does nothing for None."""
    return torch.autocast(
        device.type,
        dtype=_DTYPES.get(mixed_precision),
        enabled=mixed_precision is not None,
    )


def grad_scaler(device, mixed_precision):
    """The loss scaler that float16 gradients need; one that does nothing otherwise."""
    return torch.amp.GradScaler(device.type, enabled=mixed_precision == "fp16")


def set_compiled(module, compiled):
    """Have torch compile the encoder of a classifier at its next call, or no longer."""
    encoder = module.network.base_model
    if not compiled:
        encoder._compiled_call_impl = None
    elif encoder._compiled_call_impl is None:
        encoder.compile(dynamic=True)
