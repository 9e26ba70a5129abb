#!/usr/bin/env bash
# Compiles requirements/*.in to lock files with hashes for all platforms and Pythons that are supported.
# No address of a package source is written: whoever installs uses their own.
#
#   tools/lock.sh [VENV] [--upgrade]
set -euo pipefail
cd "$(dirname "$0")/../requirements"

uv="../${1:-.venv}/bin/uv"
shift || true
options=(--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate)

head_of() { grep '^#' "$1" 2>/dev/null || true; }
compile() { # name, further options
    local name="$1" comment
    shift
    comment="$(head_of "$name.lock")"
    echo "compiling $name.lock" >&2
    "$uv" pip compile --quiet "${options[@]}" "$@" "$name.in" -o "$name.lock"
    # uv does not keep comments of the file that it writes anew.
    if [ -n "$comment" ]; then printf '%s\n%s\n' "$comment" "$(grep -v '^#' "$name.lock")" >"$name.lock"; fi
}

compile bootstrap "$@"
compile runtime "$@"
# The same versions in tests as where it runs.
compile dev --constraint runtime.lock "$@"
# The compiler is the checker that tests run: one version of it.
compile compiler --constraint dev.lock "$@"
compile models --no-deps "$@"
# An image carries what its processes need, in the versions that are tested. Left out is what others ask for and no
# process of ours loads: tokenizers' client of a model hub, the shell of Celery's own command.
left_out=(--no-emit-package huggingface-hub --no-emit-package hf-xet --no-emit-package fsspec --no-emit-package tqdm
    --no-emit-package click-repl --no-emit-package prompt-toolkit --no-emit-package wcwidth)
for image in api worker nomic-embed control vectors; do
    compile "image-$image" --constraint runtime.lock "${left_out[@]}" "$@"
done
compile image-weights --no-deps --constraint models.lock "$@"
# What benches compare with has its own environment and its own versions, the newest of each.
compile bench "$@"
if grep -n '://' ./*.lock; then
    echo "a lock names an address: that must not be" >&2
    exit 1
fi
git --no-pager diff --stat -- . >&2
