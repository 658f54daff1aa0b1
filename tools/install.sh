#!/bin/sh
# Install this package, and what its development needs, into a virtual environment: by uv, which takes a third of the
# time, or by pip where uv cannot be had, or does not get along with the package index.
# Usage: install.sh VENV
set -eu
python=$1/bin/python

by_uv() {
    "$python" -m pip install --quiet uv || return
    index=${PIP_INDEX_URL:-$("$python" -m pip config get global.index-url 2>/dev/null || true)}
    [ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
    # Compiled at once, instead of by each of the tests' processes.
    "$python" -m uv pip install --quiet --python "$python" --compile-bytecode --editable . --group dev
}

by_pip() {
    "$python" -m pip install --quiet --upgrade "pip>=25.1" # from when on it knows groups of dependencies
    "$python" -m pip install --quiet --editable . --group dev
}

by_uv || by_pip
