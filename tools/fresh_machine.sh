#!/usr/bin/env bash
# README's two commands on a machine that has nothing but what README names: Debian's minimal base with Python, venv,
# make and git, a clone, an ordinary user. A package that happens to be on a developer's machine can hide nothing here.
#
#   tools/fresh_machine.sh [BASE]       needs Docker; BASE is an image from tools/docker.sh base (default: made here)
#
# Packages come from where this machine's pip is configured to look; nothing of it stays in an image.
set -euo pipefail
cd "$(dirname "$0")/.."

base="${1:-frostbyte-fresh-base}"
machine="frostbyte-fresh-machine-$$"
image="$machine"
made=
docker image inspect "$base" >/dev/null 2>&1 || { tools/docker.sh base "$base"; made="$base"; }
work="$(mktemp -d)"
cleanup() {
    docker rm --force "$machine" >/dev/null 2>&1 || true
    docker image rm --force "$image" ${made:+"$made"} >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT

docker build --quiet --build-arg BASE="$base" --tag "$image" - >/dev/null <<'DOCKERFILE'
ARG BASE
FROM ${BASE}
RUN apt-get -o APT::Update::Error-Mode=any update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    python3 python3-venv make git ca-certificates >/dev/null \
 && useradd --create-home --uid 1000 newcomer
USER newcomer
WORKDIR /home/newcomer
DOCKERFILE

git bundle create --quiet "$work/frostbyte.bundle" HEAD
tools/images.sh --pip-settings >"$work/pip.conf"
for bundle in "${PIP_CERT:-}" "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt; do
    if [ -s "$bundle" ]; then cp "$bundle" "$work/ca"; break; fi
done
chmod -R a+rX "$work"

proxies=()
for name in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
    if [ -n "${!name:-}" ]; then proxies+=(--env "$name"); fi
done
docker run --detach --name "$machine" --volume "$work:/given:ro" --env PIP_CONFIG_FILE=/given/pip.conf \
    --env PIP_CERT=/given/ca "${proxies[@]}" --cap-drop ALL --security-opt no-new-privileges "$image" sleep 3600 >/dev/null

inside() { docker exec "$machine" bash -euo pipefail -c "$1"; }
inside 'test "$(id -u)" = 1000 && git clone --quiet /given/frostbyte.bundle frostbyte'
echo "$ make demo"
inside 'cd frostbyte && make demo'
echo "$ make up"
inside '
    cd frostbyte
    make up >up.log 2>&1 &
    for _ in $(seq 600); do
        if grep -q "Ctrl-C stops it" up.log; then break; fi
        kill -0 $! || { cat up.log; exit 1; }
        sleep 0.2
    done
    .venv/bin/frostbyte status
    # As Ctrl-C does it: the signal goes to make and to what it runs.
    pkill --signal INT --parent $! 2>/dev/null || kill -INT $(cat /proc/$!/task/$!/children)
    for _ in $(seq 300); do kill -0 $! 2>/dev/null || break; sleep 0.2; done
    grep -q "Stopped." up.log || { cat up.log; exit 1; }
    git status --short
'
echo "a fresh machine runs README's two commands"
