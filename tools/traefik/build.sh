#!/usr/bin/env bash
# Builds Traefik at the version pinned here and prints where it is; does nothing when that is done already.
#
#   tools/traefik/build.sh [--if-built]      with --if-built prints nothing where it was not built yet
#
# For tests, on machines that can pull no image. go.sum pins every module by its hash, so the same files are built
# everywhere; the dashboard is left out, as it is from our edge. The result lies outside the tree, in
# ${XDG_CACHE_HOME:-~/.cache}/frostbyte/traefik-<hash>/traefik, where <hash> is that of go.mod and go.sum. Needs Go 1.25
# or later and a module source: whatever `go env GOPROXY` names.
set -euo pipefail
cd "$(dirname "$0")"

hash="$(cat go.mod go.sum | sha256sum | cut -c1-16)"
folder="${XDG_CACHE_HOME:-$HOME/.cache}/frostbyte/traefik-$hash"
binary="$folder/traefik"
if [ -x "$binary" ]; then
    printf '%s\n' "$binary"
    exit 0
fi
if [ "${1:-}" = --if-built ]; then exit 0; fi
if ! command -v go >/dev/null; then
    echo "Traefik cannot be built: there is no Go here." >&2
    echo "  try: apt-get install golang-go (1.25 or later), then run this again" >&2
    exit 1
fi
mkdir -p "$folder"
# Two callers at once: the second waits and finds the first one's work.
exec 9>"$folder/lock"
flock 9
if [ ! -x "$binary" ]; then
    echo "building Traefik once into $folder (up to half an hour on two cores)" >&2
    CGO_ENABLED=0 nice -n 10 go build -p "${FROSTBYTE_BUILD_JOBS:-2}" -trimpath -buildvcs=false -mod=readonly \
        -ldflags '-s -w' -o "$binary.new" github.com/traefik/traefik/v3/cmd/traefik
    mv "$binary.new" "$binary"
fi
printf '%s\n' "$binary"
