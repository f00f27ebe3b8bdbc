# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Validation, nearest neighbours and the public checks for strategies."""
