#!/usr/bin/env bash
# An offline bundle from what is on this machine, or a whole release with it.
#
#   tools/release.sh bundle     OUT/frostbyte-offline-bundle-vVERSION; images that are not there are built first
#   tools/release.sh release    OUT/frostbyte-VERSION: wheel, lock, bundle, provenance, sums and their signature; all images
#                               of ours are built anew, from a tree without changes
#
#   OUT         default: dist
#   KEY         SSH key that signs; `bundle` makes one for tries in OUT/try-key, `release` wants yours
#   TENANT      whose plane the bundle installs (default: acme); TENANT_CONFIG and POLICY as `frostbyte bundle build` has them
#   MODEL       the embedder's GGUF file, DIMENSIONS of its vectors (default: a tiny one with random weights, for tries)
#   SIGNATURES  folder with clamd's databases (default: one that knows the EICAR test file alone, for tries)
#   BASE, NAMESPACE, TAG   as tools/images.sh has them
#
# Official images of PostgreSQL, Redis, Qdrant and ClamAV are taken where the engine has them. Else their place is taken by
# Debian's servers and by our stand-in for Qdrant, and then everything says NOT FOR PRODUCTION.
# SOURCE_DATE_EPOCH, the time of the last commit unless it is set, is the time that wheel and bundle carry.
set -euo pipefail
cd "$(dirname "$0")/.."

python="${PYTHON:-.venv/bin/python}"
frostbyte="$(dirname "$python")/frostbyte"
version="$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)"
out="${OUT:-dist}"
export TAG="${TAG:-$version}" NAMESPACE="${NAMESPACE:-frostbyte}"
SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 315532800)}"
export SOURCE_DATE_EPOCH
moment="$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)"
ours=(api worker nomic-embed minio)

say() { printf '%s\n' "$*" >&2; }
stop() { say "$1"; exit 2; }
has() { docker image inspect "$1" >/dev/null 2>&1; }

# What a plane runs: KEY=REFERENCE; those of ours that are missing, or all of them for a release, are built first.
choose_images() {
    local key reference built=() official
    images=() stand_in=()
    declare -A official=([postgres]=postgres:17-alpine [redis]=redis:8-alpine [clamav]=clamav/clamav:1.4)
    for key in postgres redis clamav; do
        reference="${official[$key]}"
        if ! has "$reference"; then ours+=("$key"); reference="$NAMESPACE/$key:$TAG"; fi
        images+=(--image "$key=$reference")
    done
    if has qdrant/qdrant:v1.13.0-unprivileged; then
        images+=(--image qdrant=qdrant/qdrant:v1.13.0-unprivileged)
    else
        ours+=(vectors)
        images+=(--image "qdrant=$NAMESPACE/vectors:$TAG")
        stand_in=(--stand-in-vectors)
        say "NOT FOR PRODUCTION: no Qdrant server is here, and our stand-in takes its place"
    fi
    for key in api worker nomic-embed minio; do images+=(--image "$key=$NAMESPACE/$key:$TAG"); done
    for key in "${ours[@]}"; do
        if [ "$1" = anew ] || ! has "$NAMESPACE/$key:$TAG"; then built+=("$key"); fi
    done
    if [ ${#built[@]} -gt 0 ]; then tools/images.sh "${built[@]}" >&2; fi
}

# The embedder's model and the scanner's signatures, or small ones that are made here.
choose_models() { # SCRATCH
    local dimensions="${DIMENSIONS:-768}" model="${MODEL:-}" signatures="${SIGNATURES:-}"
    if [ -z "$model" ]; then
        say "FOR TRIES: no MODEL is named, and a tiny one with random weights takes its place"
        model="$1/model.gguf" dimensions=32
        PYTHONPATH=tests "$python" -c "import sys; from pathlib import Path; from servers.tiny_model import TinyModel
TinyModel().write(Path(sys.argv[1]))" "$model"
    fi
    if [ -z "$signatures" ]; then
        say "FOR TRIES: no SIGNATURES are named, and the scanner will know the EICAR test file alone"
        signatures="$1/clamav"
        mkdir -p "$signatures"
        PYTHONPATH=tests "$python" -c "import sys; from datetime import UTC, datetime; from pathlib import Path
from servers.clamd import DAILY, daily
today = datetime.now(UTC).replace(hour=0, minute=0, second=0)
Path(sys.argv[1], DAILY).write_bytes(daily(today))" "$signatures"
    fi
    models=(--model "nomic-embed-text-v1.5=$model" --model "clamav=$signatures" --dimensions "$dimensions")
    folders=(--from "$(dirname "$model")" --from "$signatures")
}

signing_key() {
    key="${KEY:-}"
    if [ -z "$key" ]; then
        [ "$1" = bundle ] || stop "a release is signed: KEY=FILE"
        key="$out/try-key"
        [ -s "$key" ] || ssh-keygen -q -t ed25519 -N '' -C 'for tries' -f "$key"
    fi
    [ -s "$key" ] || stop "there is no key $key"
    # The file that an operator is given by another way than the bundle.
    { printf 'frostbyte namespaces="frostbyte-bundle,frostbyte-release" '; ssh-keygen -y -f "$key"; } >"$out/allowed_signers"
}

# build_bundle FOLDER LOCK: the bundle in FOLDER, and what it was made of.
build_bundle() {
    local scratch
    scratch="$(mktemp -d)"
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$scratch'" EXIT
    choose_models "$scratch"
    "$frostbyte" bundle lock --out "$2" "${images[@]}" "${models[@]}" "${stand_in[@]}" --built-here --created-at "$moment" >&2
    "$frostbyte" bundle fetch --lock "$2" --into "$scratch/fetched" "${folders[@]}" >&2
    "$frostbyte" bundle build --lock "$2" --tenant "${TENANT:-acme}" --models "$scratch/fetched" --out "$1" --key "$key" \
        --notice NOTICE ${TENANT_CONFIG:+--tenant-config "$TENANT_CONFIG"} ${POLICY:+--policy "$POLICY"} >&2
    "$frostbyte" bundle check "$1/frostbyte-offline-bundle-v$version" --signers "$out/allowed_signers" --layers >&2
}

bundle() {
    mkdir -p "$out"
    rm -rf "$out/frostbyte-offline-bundle-v$version"
    choose_images missing
    signing_key bundle
    build_bundle "$out" "$out/bundle.lock.json"
    echo "$out/frostbyte-offline-bundle-v$version"
}

wheel() { # FOLDER
    "$python" -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$1" . >&2
}

release() {
    local folder="$out/frostbyte-$version"
    [ -z "$(git status --porcelain)" ] || stop "a release is made of what is committed: see git status"
    [ -n "${MODEL:-}" ] && [ -n "${SIGNATURES:-}" ] || [ -n "${FOR_TRIES:-}" ] || stop "a release has a model and signatures: MODEL=FILE SIGNATURES=FOLDER (FOR_TRIES=1: without)"
    rm -rf "$folder"
    mkdir -p "$folder"
    signing_key release
    wheel "$folder"
    cp requirements/runtime.lock "$folder/requirements.lock"
    choose_images anew
    build_bundle "$folder" "$folder/bundle.lock.json"
    cp "$folder/frostbyte-offline-bundle-v$version/sbom.cdx.json" "$folder/"
    "$python" tools/provenance.py "$folder" --moment "$moment" --base "${BASE:-debian:trixie-slim}" >"$folder/provenance.json"
    (cd "$folder" && find . -type f ! -name 'SHA256SUMS*' -printf '%P\n' | LC_ALL=C sort | xargs sha256sum >SHA256SUMS)
    ssh-keygen -q -Y sign -n frostbyte-release -f "$key" "$folder/SHA256SUMS"
    echo "$folder"
}

case "${1:-}" in
    bundle | release) "$1" ;;
    *) sed -n '2,21s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
