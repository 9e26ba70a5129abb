#!/bin/sh
# Python packages of an image, in /opt/frostbyte, from locks with hashes, kept as layers by how often they change.
#
#   packages.sh environment         an empty environment: the interpreter and nothing else
#   packages.sh tools LOCK...       what builds: the build backend, for `code`; the compiler, for `native`
#   packages.sh install LOCK...     what /build/LOCK.lock pins, nothing else; what is not needed taken away (trim.txt,
#                                   symbols of libraries)
#   packages.sh layer NAME [PATTERN...]   what came since the last layer, as a tree in /layers/NAME; with patterns only
#                                   what they match (of the environment's paths, as `case` has them)
#   packages.sh code FOLDER         our own wheel, compiled, as the layer `code`: the same for every image
#   packages.sh native FOLDER       machine code of some modules of ours (tools/compiled.py), as the layer `native`: it
#                                   lies beside their sources, and Python prefers it
#   packages.sh compiled MODULE...  every MODULE must import; what they load of other packages, compiled, as the layer
#                                   `compiled`
#
# Every file carries the same time, so that a layer is equal whenever its files are: a change of our code is a change of
# the layer `code`, and a host that has the others needs them no second time.
# Secrets: `ca` the certificates and `pip` the configuration with which packages are fetched; neither stays anywhere.
set -eu
home=/opt/frostbyte
site="$home/lib/python3.13/site-packages"
# 1980-01-01: archives of wheels know no earlier time.
export SOURCE_DATE_EPOCH=315532800
if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi
if [ -s /run/secrets/pip ]; then export PIP_CONFIG_FILE=/run/secrets/pip; fi

# pip is a tool of the build: it installs into the image's environment from outside.
pip() { /tools/bin/pip --python "$home/bin/python" "$@"; }

# Files and links of the environment that no layer has yet, or not like this.
fresh() {
    { find "$home" -type f -exec sha256sum {} +; find "$home" -type l -printf '%l  %p\n'; } | LC_ALL=C sort >/build/now
    touch /build/seen
    LC_ALL=C comm -23 /build/now /build/seen
}

layer() { # NAME [PATTERN...]
    name="$1"
    shift
    fresh >/build/fresh
    while read -r state path; do
        wanted=yes
        if [ $# -gt 0 ]; then
            wanted=
            for pattern in "$@"; do
                # shellcheck disable=SC2254 # the pattern is meant to be one
                case "${path#"$home/"}" in $pattern) wanted=yes ;; esac
            done
        fi
        if [ -n "$wanted" ]; then
            printf '%s\n' "$path" >&3
            printf '%s  %s\n' "$state" "$path" >&4
        fi
    done </build/fresh 3>/build/paths 4>/build/taken
    # As a tree that is copied as a whole: folders that a copy makes by itself carry today's time.
    mkdir -p "/layers/$name"
    tar -C / -cf - --no-recursion --verbatim-files-from -P -T /build/paths | tar -C "/layers/$name" -xf - --no-same-owner
    find "/layers/$name" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    LC_ALL=C sort -o /build/seen /build/seen /build/taken
}

command="$1"
shift
case "$command" in
    environment)
        python3 -m venv /tools
        python3.13 -m venv --without-pip --symlinks "$home"
        rm "$home"/bin/[aA]ctivate* # for people at a shell, and there is none in an image
        ;;
    tools)
        for lock in "$@"; do
            /tools/bin/pip install --quiet --require-hashes -r "/build/$lock.lock"
        done
        ;;
    install)
        for lock in "$@"; do
            # A lock is complete; --no-deps keeps pip from adding what the image is meant to do without.
            pip install --quiet --no-deps --require-hashes -r "/build/$lock.lock"
        done
        grep -v '^#' /build/trim.txt | while read -r pattern _; do
            # shellcheck disable=SC2086 # the pattern is meant to be one
            [ -z "$pattern" ] || (cd "$site" && rm -rf $pattern)
        done
        # Caches, and what is read when something is built.
        find "$site" \( -name __pycache__ -o -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' \) -prune -exec rm -rf {} +
        # Symbols for debuggers. Libraries in *.libs were rewritten when their wheel was made and stay as they are.
        fresh | while read -r _ path; do
            case "$path" in *.libs/*) ;; *.so) strip --strip-unneeded "$path" ;; esac
        done
        ;;
    layer)
        layer "$@"
        ;;
    code)
        cd "$1"
        /tools/bin/pip wheel --quiet --no-deps --no-build-isolation --no-binary frostbyte --wheel-dir /wheels .
        layer environment
        pip install --quiet --no-deps --no-index /wheels/frostbyte-*.whl
        rm "$home"/bin/*.sh # there is no shell in an image
        "$home/bin/python" -P /build/compile.py "$site/frostbyte"
        layer code
        ;;
    native)
        /tools/bin/python -P /build/compiled.py /build/native --source "$1" --python "$home/bin/python"
        (cd /build/native && find . -name '*.so') | while read -r file; do
            install -D -m 0644 "/build/native/$file" "$site/$file"
        done
        layer native
        ;;
    compiled)
        layer code # it was copied here
        "$home/bin/python" -P /build/compile.py "$site" "$@"
        "$home/bin/frostbyte" version
        layer compiled
        ;;
esac
