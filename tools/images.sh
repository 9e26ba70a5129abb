#!/usr/bin/env bash
# Builds Frostbyte's images with Docker and says what they weigh.
#
#   tools/images.sh --pip-settings   what is handed over of pip's configuration
#   tools/images.sh [IMAGE...]       api, worker, nomic-embed (the default), control, traefik, minio, vectors, and Debian's
#                                    postgres, redis, clamav where official images cannot be had
#
#   BASE       the Debian 13 image to build from (default debian:trixie-slim; tools/docker.sh base makes one)
#   TAG        default: the version in pyproject.toml
#   NAMESPACE  default: frostbyte
#   NO_CACHE   set: everything anew
#
# Packages come from wherever pip on this machine is configured to look; its configuration and certificates are handed
# to the build as secrets and are in no layer. Layers depend on sources and locks alone. SOURCE_DATE_EPOCH, the time of the
# last commit unless it is set, is when builders that ask for it say that an image was made.
set -euo pipefail
cd "$(dirname "$0")/.."

version="$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)"
tag="${TAG:-$version}"
namespace="${NAMESPACE:-frostbyte}"
epoch="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}"
revision="$(git rev-parse HEAD 2>/dev/null || echo unknown)"
secrets="$(mktemp -d)"
trap 'rm -rf "$secrets" deploy/images/built' EXIT

# What pip is told here: from its files and from PIP_* variables. A folder of this machine is not in a container.
pip_settings() {
    { python3 -m pip config list 2>/dev/null || true; } | sed -n "s/^\(global\|install\|:env:\)\.\([a-z-]*\)='\(.*\)'$/\2 \3/p" \
        | while read -r name value; do
            case "$name" in index-url | extra-index-url | trusted-host | no-index | timeout | retries) ;;
                find-links) case "$value" in *://*) ;; *) continue ;; esac ;;
                *) continue ;;
            esac
            printf '%s = %s\n' "$name" "$value"
        done
}
if [ "${1:-}" = --pip-settings ]; then { echo "[global]"; pip_settings; }; exit; fi
{ echo "[global]"; pip_settings; } >"$secrets/pip"
: >"$secrets/ca"
for bundle in "${PIP_CERT:-}" "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt; do
    if [ -s "$bundle" ]; then cp "$bundle" "$secrets/ca"; break; fi
done

built() { # NAME
    mkdir -p deploy/images/built
    cp "$(tools/"$1"/build.sh)" "deploy/images/built/$1"
}

options=(${NO_CACHE:+--no-cache})
for name in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
    if [ -n "${!name:-}" ]; then options+=(--build-arg "$name"); fi
done

read -ra images <<<"${*:-api worker nomic-embed}"
for name in "${images[@]}"; do # what no package carries is built from pinned sources, outside of Docker
    case "$name" in
        minio | traefik) built "$name" ;;
        control) built sops ;;
    esac
done

build() { # NAME
    echo "building $namespace/$1:$tag" >&2
    DOCKER_BUILDKIT=1 docker build --quiet --file deploy/images/Dockerfile --target "$1" \
        --secret "id=ca,src=$secrets/ca" --secret "id=pip,src=$secrets/pip" "${options[@]}" \
        --build-arg BASE="${BASE:-debian:trixie-slim}" --build-arg SOURCE_DATE_EPOCH="$epoch" \
        --build-arg VERSION="$version" --build-arg REVISION="$revision" \
        --build-arg SOURCE="${SOURCE_URL:-unknown}" --tag "$namespace/$1:$tag" . >/dev/null
}

# As many at once as there are processors: most of a build waits for one of them. What two images share is built once.
running=0
failed=
for name in "${images[@]}"; do
    if [ "$running" -ge "$(nproc)" ]; then
        wait -n || failed=yes
        running=$((running - 1))
    fi
    [ -z "$failed" ] || break
    build "$name" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || failed=yes
    running=$((running - 1))
done
[ -z "$failed" ] || exit 1
for name in "${images[@]}"; do
    docker image inspect --format '{{index .RepoTags 0}} {{.Size}}' "$namespace/$name:$tag" \
        | awk '{ printf "%s\t%.0f MB\n", $1, $2 / 1e6 }'
done
