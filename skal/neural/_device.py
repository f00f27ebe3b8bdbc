# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Where a model runs, and the random numbers it draws there."""

import contextlib

import torch


def resolve_device(device, *, fallback=False):
    """The torch device that a `device` parameter stands for on this machine.

    Parameters
    ----------
    device : str
        ``"auto"`` (CUDA, else MPS, else CPU) or anything torch understands.
    fallback : bool, default=False
        Whether a device that this machine lacks becomes the CPU (a model that was
        trained elsewhere) or an error.

    Returns
    -------
    device : torch.device

    Raises
    ------
    ValueError
        If torch does not know the device, or the machine lacks it.
    """
    if device == "auto":
        names = ("cuda", "mps", "cpu")
        return torch.device(next(name for name in names if _is_available(name)))
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            "device must be 'auto' or the name of a torch device such as 'cpu', 'cuda' "
            f"or 'cuda:1'. Got {device!r}; this machine has {_available()}."
        ) from error
    if _is_available(resolved.type, resolved.index or 0):
        return resolved
    if fallback:
        return torch.device("cpu")
    raise ValueError(
        f"device={device!r} is not available on this machine, which has "
        f"{_available()}; use device='auto', or a build of torch that supports it."
    )


def _available():
    """The names of the devices of this machine, for the error texts."""
    names = ["cpu", *(["mps"] if _is_available("mps") else [])]
    if _is_available("cuda"):
        names += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return ", ".join(map(repr, names))


def _is_available(kind, index=0):
    if kind == "cuda":
        return torch.cuda.is_available() and index < torch.cuda.device_count()
    if kind == "mps":
        return torch.backends.mps.is_available()
    return kind == "cpu"


@contextlib.contextmanager
def seeded(seed, device):
    """Seed torch for the length of a block, on the CPU and on `device` only.

    The generators are given back in the state they had, so nothing outside the block
    notices.
    """
    with contextlib.ExitStack() as stack:
        if device.type == "mps":
            stack.callback(torch.mps.set_rng_state, torch.mps.get_rng_state())
            torch.mps.manual_seed(seed)
        on_cuda = device.type == "cuda"
        stack.enter_context(torch.random.fork_rng([device] if on_cuda else []))
        torch.default_generator.manual_seed(seed)
        if on_cuda:
            stack.enter_context(torch.cuda.device(device))
            torch.cuda.manual_seed(seed)
        yield
