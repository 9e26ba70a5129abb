#!/usr/bin/env bash
# A host without a network, on this machine: a Docker engine of its own in a network namespace that leads nowhere.
#
#   tools/isolated_host.sh start DIR            its engine; everything it keeps is in DIR
#   tools/isolated_host.sh run DIR COMMAND...   a command on that host: its network, its engine
#   tools/isolated_host.sh outside DIR          gives it a default route to a neighbour (198.51.100.7) that notes what
#                                               arrives: whatever leaves a container can be seen there
#   tools/isolated_host.sh seen DIR             packets that the neighbour got since
#   tools/isolated_host.sh stop DIR             ends it and removes all that it kept
#
# It needs root, Docker's programs and Compose (tools/docker.sh start), and iproute2.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
export PATH="$PATH:/usr/sbin"

say() { printf '%s\n' "$*" >&2; }
missing() { say "left out: an isolated host ($1)"; exit 3; }

pid_of() { cat "$1/pid" 2>/dev/null || { say "There is no isolated host in $1: start it first."; exit 2; }; }

start() {
    local dir="$1"
    [ "$(id -u)" = 0 ] || missing "it needs root"
    command -v dockerd >/dev/null && docker compose version >/dev/null 2>&1 || missing "run tools/docker.sh start first"
    command -v ip >/dev/null || apt-get install -y -qq --no-install-recommends iproute2 >&2
    mkdir -p "$dir"
    dir="$(cd "$dir" && pwd)"
    setsid unshare --net -- bash -c 'ip link set lo up && exec dockerd "$@"' dockerd \
        --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/pid" --host "unix://$dir/docker.sock" \
        --log-level warn >"$dir/log" 2>&1 </dev/null &
    for _ in $(seq 150); do
        if DOCKER_HOST="unix://$dir/docker.sock" docker info >/dev/null 2>&1; then return; fi
        kill -0 $! 2>/dev/null || break
        sleep 0.2
    done
    tail -5 "$dir/log" >&2
    stop "$dir"
    missing "its dockerd did not start"
}

run() {
    local dir="$1" pid
    shift
    pid="$(pid_of "$dir")"
    DOCKER_HOST="unix://$(cd "$dir" && pwd)/docker.sock" nsenter --net="/proc/$pid/ns/net" -- "$@"
}

# The neighbour is a second namespace, held by a process that only sleeps. Addresses are fixed on both sides, so that
# nothing is asked and the counter stays at nothing until somebody sends something.
outside() {
    local dir="$1" pid neighbour
    pid="$(pid_of "$dir")"
    setsid unshare --net -- sleep 86400 >/dev/null 2>&1 </dev/null &
    neighbour=$!
    echo "$neighbour" >"$dir/neighbour"
    until ! [ "/proc/$neighbour/ns/net" -ef /proc/self/ns/net ]; do sleep 0.05; done
    nsenter --net="/proc/$pid/ns/net" ip link add out0 type veth peer name in0 netns "$neighbour"
    in_both() {
        nsenter --net="/proc/$1/ns/net" sh -c "echo 1 >/proc/sys/net/ipv6/conf/$2/disable_ipv6
            ip addr add $3/24 dev $2 && ip link set $2 up"
    }
    in_both "$pid" out0 198.51.100.1
    in_both "$neighbour" in0 198.51.100.7
    local mac
    mac="$(nsenter --net="/proc/$neighbour/ns/net" ip -o link show in0 | sed -n 's/.*link\/ether \([0-9a-f:]*\).*/\1/p')"
    nsenter --net="/proc/$pid/ns/net" sh -c "ip neigh replace 198.51.100.7 lladdr $mac dev out0 nud permanent
        ip route add default via 198.51.100.7"
}

seen() {
    nsenter --net="/proc/$(cat "$1/neighbour")/ns/net" ip -s link show in0 | sed -n '/RX:/{n;s/^ *[0-9]* *\([0-9]*\).*/\1/p}'
}

stop() {
    local dir="$1" pid
    if [ -f "$dir/neighbour" ]; then kill "$(cat "$dir/neighbour")" 2>/dev/null || true; fi
    if [ -f "$dir/pid" ]; then
        pid="$(cat "$dir/pid")"
        DOCKER_HOST="unix://$dir/docker.sock" docker ps -q 2>/dev/null \
            | DOCKER_HOST="unix://$dir/docker.sock" xargs -r docker kill >/dev/null 2>&1 || true
        kill "$pid" 2>/dev/null || true
        for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
    fi
    # What a killed container left mounted would keep the folder alive.
    awk -v dir="$dir/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r -n1 umount 2>/dev/null || true
    rm -rf "${dir:?}/data" "$dir/exec" "$dir/pid" "$dir/docker.sock" "$dir/neighbour" "$dir/log"
}

case "${1:-}" in
    start | outside | seen | stop) "$1" "${2:?which folder}" ;;
    run) shift; run "$@" ;;
    *) sed -n '2,12s/^# \{0,1\}//p' "$here/isolated_host.sh"; exit 2 ;;
esac
