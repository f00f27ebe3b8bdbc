# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Print the one fenced block of README.md that holds the text given as argument."""

import re
import sys
from pathlib import Path

readme = Path("README.md").read_text(encoding="utf-8")
blocks = re.findall(r"^```\w*\n(.*?)^```$", readme, flags=re.MULTILINE | re.DOTALL)
found = [block.strip() for block in blocks if sys.argv[1] in block]
if len(found) != 1:
    sys.exit(f"README.md has {len(found)} fenced blocks with {sys.argv[1]}, not one.")
print(found[0])
