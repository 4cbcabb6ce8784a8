#!/bin/sh
# Make the environment in .venv: a Python of 3.11 or newer, and what the given lock files name.
# Usage: tools/environment.sh LOCK...   ($PYTHON names the Python to use)
set -eu
cd "$(dirname "$0")/.."

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# The machine's own python3 first: it is what its owner expects. Then the newer and the older ones.
pythons() {
    for name in ${PYTHON:-python3 python3.13 python3.12 python3.14 python3.11 python}; do
        if command -v "$name" >/dev/null 2>&1 && is_new_enough "$name"; then
            echo "$name"
        fi
    done
}

make_venv() {
    for python in $found; do
        for way in "$python -m venv" "$python -m virtualenv -q" "virtualenv -q -p $python" \
            "uv venv -q --seed --python $python"; do
            rm -rf .venv
            # Some distributions ship venv without the part that brings pip: then it fails here.
            if $way .venv >/dev/null 2>&1 && .venv/bin/python -m pip --version >/dev/null 2>&1; then
                return 0
            fi
        done
    done
    rm -rf .venv
    return 1
}

install() {
    if command -v uv >/dev/null 2>&1 && [ -z "${NO_UV:-}" ]; then
        # Much faster; where it cannot reach the packages the way pip does, pip does it.
        VIRTUAL_ENV=.venv uv pip install -q --no-config "$@" 2>/dev/null && return 0
    fi
    .venv/bin/python -m pip install -qq --disable-pip-version-check --no-input "$@"
}

if ! .venv/bin/python -m pip --version >/dev/null 2>&1 || ! is_new_enough .venv/bin/python; then
    found=$(pythons)
    if [ -z "$found" ]; then
        echo "Python 3.11 or newer is missing: install it (Debian, Ubuntu: apt install python3 python3-venv), or name one with PYTHON=..." >&2
        exit 1
    fi
    if ! make_venv; then
        echo "No way to make a virtual environment: install venv (Debian, Ubuntu: apt install python3-venv), virtualenv or uv." >&2
        exit 1
    fi
fi

for lock in "$@"; do
    install --require-hashes -r "$lock"
done
# The project itself, for its version and its commands; setuptools comes with the lock.
if .venv/bin/python -c 'import setuptools' 2>/dev/null; then
    .venv/bin/python -m pip install -qq --disable-pip-version-check --no-input \
        --no-deps --no-index --no-build-isolation -e .
fi
