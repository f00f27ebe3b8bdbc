# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Work on the machines of a Dask cluster."""

import contextlib

import joblib


@contextlib.contextmanager
def workers(dask):
    """Do what joblib does in the block on a cluster, if there is one.

    Parameters
    ----------
    dask : str or None
        The address of a scheduler.
    """
    if dask is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise ModuleNotFoundError(
            "--dask takes the package distributed, which is not installed. Install it "
            "with: pip install 'skal[dask]'"
        ) from error
    with Client(dask), joblib.parallel_config(backend="dask"):
        yield
