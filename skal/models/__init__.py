# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Checkpoints that come with skal, one folder each. Nothing to import."""
