#!/usr/bin/env bash
# The offline day of an operator, on this machine: a bundle, a host without a network, the first check, an installation,
# and what verify.sh says of it. The bundle stays in dist/, and so do the images that it was made of, in the engine.
#
#   tools/demo_offline.sh [--keep]     with --keep the host stays: tools/isolated_host.sh run HOST COMMAND...
#
# It needs root, Docker's programs and Compose (tools/docker.sh start says what to export).
set -euo pipefail
cd "$(dirname "$0")/.."
keep="${1:-}"
out="$(realpath -m "${OUT:-dist}")"
host="$(mktemp -d -t fb-host-XXXXXX)"
tool="$PWD/tools/isolated_host.sh"

step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
typed() { printf '\033[32m$ %s\033[0m\n' "$*"; "$@"; }
here() { printf '\033[32mhost$ %s\033[0m\n' "$*"; "$tool" run "$host" "$@"; }
leave() {
    if [ "$keep" = --keep ]; then echo "The host stays in $host; tools/isolated_host.sh stop $host ends it."; return; fi
    "$tool" stop "$host" && rm -rf "$host"
}

began=$SECONDS
step "1  A bundle from what is on this machine"
bundle="$(OUT="$out" tools/release.sh bundle | tail -1)"
typed du -sh "$bundle"

step "2  A host without a network"
trap leave EXIT
"$tool" start "$host"
here ip route

step "3  The first check, before anything of the disk is run"
cd "$bundle"
first='ssh-keygen -Y verify -f ../allowed_signers -I frostbyte -n frostbyte-bundle -s SHA256SUMS.sig < SHA256SUMS && sha256sum -c --strict --quiet SHA256SUMS'
here bash -c "$first"
cd - >/dev/null

step "4  It is installed"
here "$bundle/scripts/install.sh" --signers "$out/allowed_signers" --into "$host/opt"

step "5  What verify.sh says"
status=0
here "$host/opt/bundle/scripts/verify.sh" --into "$host/opt" || status=$?

step "done in $((SECONDS - began)) s"
exit "$status"
