#!/usr/bin/env bash
# Installs the pinned packages and the project into the active environment; run in the project's root.
set -euo pipefail
python -m pip install --quiet --requirement envs/requirements.txt
python -m pip install --quiet --no-deps --no-build-isolation --editable .
