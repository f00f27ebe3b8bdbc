# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Names for parts that were given without."""


def name_parts(parts):
    """(name, part) of each: its own, or its class's in lower case.

    A class that occurs more than once gets a number: "randsub-1", "randsub-2". A string
    is its own name.
    """
    named = [part if isinstance(part, tuple) else (None, part) for part in parts]
    defaults = [
        part if isinstance(part, str) else type(part).__name__.lower()
        for name, part in named
        if name is None
    ]
    numbered = iter(_numbered(defaults))
    return [(next(numbered) if name is None else name, part) for name, part in named]


def _numbered(names):
    seen = dict.fromkeys(names, 0)
    for name in names:
        seen[name] += 1
        yield f"{name}-{seen[name]}" if names.count(name) > 1 else name
