#!/bin/sh
# Make a virtual environment, also where Python was packaged without ensurepip.
# Usage: make_venv.sh PYTHON DIRECTORY
set -eu
python=$1
directory=$2

"$python" - <<'CHECK'
import sys
if sys.version_info < (3, 10):
    sys.exit(f"Python 3.10 or newer is needed, this is {sys.version.split()[0]}: call make with PYTHON=python3.12, say")
CHECK

if "$python" -c 'import ensurepip' 2>/dev/null; then
    "$python" -m venv --clear "$directory"
elif "$python" -m virtualenv --version >/dev/null 2>&1; then
    "$python" -m virtualenv --quiet --clear "$directory"
elif "$python" -m pip --version >/dev/null 2>&1; then
    "$python" -m pip install --quiet --target "$directory.virtualenv" virtualenv
    PYTHONPATH="$directory.virtualenv" "$python" -m virtualenv --quiet --clear "$directory"
    rm -rf "$directory.virtualenv"
else
    echo "This Python has neither ensurepip nor pip: install the package python3-venv (Debian, Ubuntu) or virtualenv." >&2
    exit 1
fi
