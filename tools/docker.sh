#!/usr/bin/env bash
# Docker for the lanes that need it, with Compose and a base image made of Debian's packages.
#
#   eval "$(tools/docker.sh start)"    a daemon that answers, and Compose: prints what to export
#   tools/docker.sh base NAME          imports Debian's minimal base (trixie) as image NAME
#   tools/docker.sh stop               ends what `start` began and removes its folder; images go with it
#
# A daemon that answers already is used as it is and left alone. Else, as root on Debian, docker.io is installed and
# its dockerd started by hand in a folder of its own. Elsewhere it says so and ends with 3: the lane is left out.
# FROSTBYTE_DEBIAN_MIRROR names another mirror than the one that this machine's apt uses.
set -euo pipefail
cd "$(dirname "$0")/.."

dir="${FROSTBYTE_DOCKER_DIR:-${TMPDIR:-/tmp}/frostbyte-docker-$(id -u)}"
suite=trixie
if [ -d "$dir/bin" ]; then PATH="$dir/bin:$PATH"; fi

say() { printf '%s\n' "$*" >&2; }
left_out() { say "left out: the docker lane ($1)"; exit 3; }
can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

install_packages() {
    can_install || left_out "to have it, start Docker with Compose, or run this as root on Debian"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 || {
        apt-get update -qq >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
    }
}

# -- the daemon -------------------------------------------------------------------------------------------------------

start_daemon() {
    PATH="$PATH:/usr/sbin" command -v dockerd >/dev/null || install_packages docker.io iptables
    # Debian's client belongs to its daemon; a newer one on the PATH may lack the part that builds.
    mkdir -p "$dir/bin"
    ln -sf /usr/bin/docker "$dir/bin/docker"
    export PATH="$dir/bin:$PATH:/usr/sbin" DOCKER_HOST="unix://$dir/docker.sock"
    if docker info >/dev/null 2>&1; then return; fi
    setsid dockerd --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/pid" --host "$DOCKER_HOST" \
        --log-level warn >"$dir/log" 2>&1 </dev/null &
    for _ in $(seq 150); do
        if docker info >/dev/null 2>&1; then return; fi
        kill -0 $! 2>/dev/null || break
        sleep 0.2
    done
    say "dockerd did not start; its last words:"
    tail -5 "$dir/log" >&2
    left_out "dockerd cannot run here: $dir/log"
}

# -- Compose ----------------------------------------------------------------------------------------------------------

mirror() {
    if [ -n "${FROSTBYTE_DEBIAN_MIRROR:-}" ]; then echo "$FROSTBYTE_DEBIAN_MIRROR"; return; fi
    apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE)' 'Created-By: Packages' \
        | awk '$1 == "Debian" && $2 !~ /security/ { print $2; exit }'
}

# Compose v2 of Debian's newer release needs only libc: taken from its package, through an apt root of its own.
fetch_compose() {
    local root="$dir/apt" from
    can_install || left_out "Docker has no Compose v2 here; install the docker compose plugin"
    from="$(mirror)"
    mkdir -p "$root"/{state/lists/partial,cache/archives/partial,etc/apt.conf.d,etc/preferences.d} "$dir/config/cli-plugins"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $from $suite main" >"$root/etc/sources.list"
    cat >"$root/apt.conf" <<CONF
Dir::State "$root/state";
Dir::Cache "$root/cache";
Dir::Etc "$root/etc";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
CONF
    (
        export APT_CONFIG="$root/apt.conf"
        cd "$root"
        apt-get update -qq >&2
        apt-get download -qq docker-compose >&2
        dpkg-deb -x docker-compose_*.deb unpacked
    )
    cp "$root/unpacked/usr/libexec/docker/cli-plugins/docker-compose" "$dir/config/cli-plugins/"
    rm -rf "$root"
}

start() {
    if ! docker info >/dev/null 2>&1; then start_daemon; fi
    if ! docker compose version >/dev/null 2>&1; then
        export DOCKER_CONFIG="$dir/config"
        docker compose version >/dev/null 2>&1 || fetch_compose
        docker compose version >/dev/null || left_out "Compose does not run here"
    fi
    echo 'export DOCKER_BUILDKIT=1'
    [ ! -d "$dir/bin" ] || printf 'export PATH=%q:"$PATH"\n' "$dir/bin"
    [ -z "${DOCKER_HOST:-}" ] || printf 'export DOCKER_HOST=%q\n' "$DOCKER_HOST"
    [ -z "${DOCKER_CONFIG:-}" ] || printf 'export DOCKER_CONFIG=%q\n' "$DOCKER_CONFIG"
}

stop() {
    local pid
    if [ -f "$dir/pid" ]; then
        pid="$(cat "$dir/pid")"
        DOCKER_HOST="unix://$dir/docker.sock" docker ps -q 2>/dev/null \
            | DOCKER_HOST="unix://$dir/docker.sock" xargs -r docker kill >/dev/null 2>&1 || true
        # A bridge that outlives its daemon keeps its subnet's route, and the next daemon's containers answer nobody.
        DOCKER_HOST="unix://$dir/docker.sock" docker container prune --force >/dev/null 2>&1 || true
        DOCKER_HOST="unix://$dir/docker.sock" docker network prune --force >/dev/null 2>&1 || true
        kill "$pid" 2>/dev/null || true
        for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
    fi
    # What a killed container left mounted would keep the folder alive.
    awk -v dir="$dir/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r -n1 umount 2>/dev/null || true
    rm -rf "$dir"
}

# -- the base image ---------------------------------------------------------------------------------------------------

base() {
    local name="$1" tar
    if docker image inspect "$name" >/dev/null 2>&1; then return; fi
    command -v mmdebstrap >/dev/null || install_packages mmdebstrap
    tar="$(mktemp -d)/base.tar"
    mmdebstrap --quiet --variant=minbase \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*/LC_MESSAGES/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        "$suite" "$tar" ${FROSTBYTE_DEBIAN_MIRROR:+"$FROSTBYTE_DEBIAN_MIRROR"} >&2
    docker import "$tar" "$name" >/dev/null
    rm -rf "$(dirname "$tar")"
}

case "${1:-}" in
    start | stop) "$1" ;;
    base) base "${2:?which image name}" ;;
    *) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
