#!/bin/sh
# Python packages of an image, in /opt/frostbyte, from locks with hashes.
#
#   packages.sh tools               the build backend, for `wheel`
#   packages.sh wheel FOLDER        our own code as a wheel in /wheels
#   packages.sh install LOCK...     what /build/LOCK.lock pins, nothing else
#   packages.sh finish MODULE...    our wheel; what is not needed taken away (trim.txt, symbols of libraries); every MODULE
#                                   must import, and what they load is compiled
#
# Secrets: `ca` the certificates and `pip` the configuration with which packages are fetched; neither stays anywhere.
set -eu
home=/opt/frostbyte
site="$home/lib/python3.13/site-packages"
if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi
if [ -s /run/secrets/pip ]; then export PIP_CONFIG_FILE=/run/secrets/pip; fi

# pip is a tool of the build: it installs into the image's environment from outside.
pip() { /tools/bin/pip --python "$home/bin/python" "$@"; }

case "$1" in
    tools)
        /tools/bin/pip install --quiet --require-hashes -r /build/bootstrap.lock
        ;;
    wheel)
        mkdir -p /wheels
        cd "$2"
        /tools/bin/pip wheel --quiet --no-deps --no-build-isolation --no-binary frostbyte --wheel-dir /wheels .
        ;;
    install)
        shift
        for lock in "$@"; do
            # A lock is complete; --no-deps keeps pip from adding what the image is meant to do without.
            pip install --quiet --no-deps --require-hashes -r "/build/$lock.lock"
        done
        ;;
    finish)
        shift
        pip install --quiet --no-deps --no-index /wheels/frostbyte-*.whl
        rm "$home"/bin/*.sh # there is no shell in an image
        grep -v '^#' /build/trim.txt | while read -r pattern _; do
            # shellcheck disable=SC2086 # the pattern is meant to be one
            [ -z "$pattern" ] || (cd "$site" && rm -rf $pattern)
        done
        # Symbols for debuggers. Libraries in *.libs were rewritten when their wheel was made and stay as they are.
        find "$site" -name '*.so' ! -path '*.libs/*' -exec strip --strip-unneeded {} +
        find "$site" \( -name __pycache__ -o -name '*.pyi' \) -prune -exec rm -rf {} +
        "$home/bin/python" -P /build/compile.py "$site" "$@"
        "$home/bin/frostbyte" version
        # In a tree that is copied as a whole: folders that a copy makes by itself carry today's time.
        mkdir -p "/out${home%/*}"
        mv "$home" "/out$home"
        echo "$SOURCE_DATE_EPOCH" >"/out$home/build-epoch"  # as in system.sh
        find /out -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
        ;;
esac
