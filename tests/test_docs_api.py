# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The API page lists every public name, and no other."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import skal

API = Path(__file__).parents[1] / "docs" / "api.rst"


def public_modules():
    yield "skal"
    for module in pkgutil.walk_packages(skal.__path__, "skal."):
        if not any(part.startswith("_") for part in module.name.split(".")):
            yield module.name


def listed():
    """{module: names} of the autosummary entries in the API page."""
    names, module, in_table = {}, None, False
    for line in API.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\.\. (?:currentmodule|automodule):: (\S+)", line):
            module = match[1]
        if line.strip() and not line.startswith(" "):
            in_table = line.startswith(".. autosummary::")
        elif in_table and re.fullmatch(r"\s+\w+", line):
            names.setdefault(module, set()).add(line.strip())
    return names


# The inside of the text estimators, and the command line.
INTERNAL = {"skal.cli", "skal.neural"}


@pytest.mark.parametrize("module", sorted(set(public_modules()) - INTERNAL))
def test_every_public_name_is_listed(module):
    names = set(getattr(importlib.import_module(module), "__all__", ()))
    if module != "skal":  # a name that is public at the top is listed there
        names -= set(skal.__all__)
    assert listed().get(module, set()) == names


def test_every_listed_name_has_a_docstring():
    for module, names in listed().items():
        for name in names:
            assert getattr(importlib.import_module(module), name).__doc__
