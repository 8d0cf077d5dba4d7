#!/bin/sh
# checkov pins a hundred packages, older ones among them: it has an environment of its own.
set -eu
cd "$(dirname "$0")/.."
"${PYTHON:-.venv/bin/python}" -m venv .venvs/checkov
.venvs/checkov/bin/python -m pip install --quiet 'checkov>=3.3,<4'
