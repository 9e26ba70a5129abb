#!/usr/bin/env bash
# Installs or builds the servers that test lanes need, and starts none of them. What cannot be had here is named.
#
#   tools/servers.sh [NAME...]     clamd redis minio postgresql promtool hcloud nftables shellcheck sops sshd traefik cryptsetup compiler chromium node axe; all of them without a name
#
# Packages need root on Debian; MinIO, SOPS and Traefik are built from pinned sources and need Go (tools/*/build.sh);
# axe-core comes through npm (tools/axe/fetch.sh).
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/sbin" DEBIAN_FRONTEND=noninteractive
missing=()
refreshed=

package() { # PROGRAM PACKAGE
    if command -v "$1" >/dev/null || compgen -G "$1" >/dev/null; then return 0; fi
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        missing+=("$1: install Debian's package $2")
        return 1
    fi
    if [ -z "$refreshed" ]; then apt-get update -qq -o APT::Update::Error-Mode=any >&2 && refreshed=yes; fi
    # No service starts by itself: the tests start their own, on ports of their own.
    local policy=/usr/sbin/policy-rc.d made=
    if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && made=yes; fi
    apt-get install -y -qq --no-install-recommends "$2" >/dev/null || missing+=("$1: apt-get install $2 failed")
    if [ -n "$made" ]; then rm -f "$policy"; fi
}

[ $# -gt 0 ] || set -- clamd redis minio postgresql promtool hcloud nftables shellcheck sops sshd traefik cryptsetup compiler chromium node axe
for name in "$@"; do
    case "$name" in
        clamd) package clamd clamav-daemon ;;
        redis) package redis-server redis-server ;;
        postgresql) package '/usr/lib/postgresql/*/bin/postgres' postgresql ;; # the wheel's own knows no TLS
        nftables) package nft nftables ;;
        promtool) package promtool prometheus ;;
        shellcheck) package shellcheck shellcheck ;;
        hcloud) package hcloud hcloud-cli ;;
        sshd) package sshd openssh-server ;;
        cryptsetup) package cryptsetup cryptsetup-bin ;;
        compiler) # what tools/compiled.py needs; a Python that was not Debian's brings its own headers
            package gcc gcc
            package /usr/include/stdio.h libc6-dev
            package "$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" python3-dev ;;
        chromium) package chromium chromium ;;
        node) package node nodejs ;;
        axe) package npm npm && { tools/axe/fetch.sh >/dev/null || missing+=("axe: see above"); } ;;
        minio) tools/minio/build.sh >/dev/null || missing+=("minio: see above") ;;
        sops) tools/sops/build.sh >/dev/null || missing+=("sops: see above") ;;
        traefik) tools/traefik/build.sh >/dev/null || missing+=("traefik: see above") ;;
        *) echo "no such server: $name (clamd redis minio postgresql promtool hcloud nftables shellcheck sops sshd traefik cryptsetup compiler chromium node axe)" >&2; exit 2 ;;
    esac
done
if [ ${#missing[@]} -gt 0 ]; then
    printf 'left out: %s\n' "${missing[@]}"
    exit 1
fi
