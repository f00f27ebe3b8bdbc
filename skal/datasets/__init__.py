# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Real data, with and without a download, and a way to make it imbalanced."""

from skal.datasets._docstrings import load_docstrings
from skal.datasets._fetch import fetch_benchmark, fetch_hub
from skal.datasets._imbalance import make_imbalanced
from skal.datasets._parquet import load_parquet_folder
from skal.datasets._parquet_column import ParquetColumn

__all__ = [
    "ParquetColumn",
    "fetch_benchmark",
    "fetch_hub",
    "load_docstrings",
    "load_parquet_folder",
    "make_imbalanced",
]
