#!/usr/bin/env bash
# Fetches axe-core at the version pinned here and prints where its script is; does nothing when that is done already.
#
#   tools/axe/fetch.sh
#
# For tests alone: no page of ours loads it. package-lock.json pins it by its hash and names no registry, so it comes from
# whatever npm is configured to use. It is a file of the Mozilla Public License 2.0, used as it is and not kept in the tree: the result lies in
# ${XDG_CACHE_HOME:-~/.cache}/frostbyte/axe-<hash>, where <hash> is that of package-lock.json. Needs npm.
set -euo pipefail
cd "$(dirname "$0")"

hash="$(sha256sum <package-lock.json | cut -c1-16)"
folder="${XDG_CACHE_HOME:-$HOME/.cache}/frostbyte/axe-$hash"
script="$folder/axe"
if [ -s "$script" ]; then
    printf '%s\n' "$script"
    exit 0
fi
if ! command -v npm >/dev/null; then
    echo "axe-core cannot be fetched: there is no npm here." >&2
    echo "  try: apt-get install nodejs npm, then run this again" >&2
    exit 1
fi
mkdir -p "$folder"
# Two callers at once: the second waits and finds the first one's work.
exec 9>"$folder/lock"
flock 9
if [ ! -s "$script" ]; then
    cp package.json package-lock.json "$folder"
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --no-update-notifier >&2
    mv "$folder/node_modules/axe-core/axe.min.js" "$script"
    rm -rf "$folder/node_modules"
fi
printf '%s\n' "$script"
