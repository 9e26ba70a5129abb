# What may be told of a host: versions, sizes, states and counts, each as a row of words apart by tabs. Run by root with
# `sh`; $folder is the compose project's. Whoever asked holds every word against a shape and drops what has none
# (control_plane/support/shapes.py), so what a program prints here is not what is told.
set -u
: "${folder:?}"
export LC_ALL=C
readonly engine_seconds=20

row() {
    printf '%s' "$1"
    shift
    for one in "$@"; do printf '\t%s' "$one"; done
    printf '\n'
}

about_host() {
    row host kernel "$(uname -r)"
    row host machine "$(uname -m)"
    row host processors "$(nproc)"
    read -r first second third _ </proc/loadavg
    row host load "$first" "$second" "$third"
    read -r first _ </proc/uptime
    row host up_seconds "${first%.*}"
    row host clock "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    while read -r name amount _; do
        case "$name" in MemTotal: | MemAvailable: | SwapTotal: | SwapFree:) row memory "${name%:}" "$amount" ;; esac
    done </proc/meminfo
}

# disk NAME PATH: megabytes, megabytes free, share used, inodes free.
disk() {
    df --output=size,avail,pcent,iavail --block-size=1M -- "$2" 2>/dev/null | tail -n 1 | {
        read -r size free share inodes && row disk "$1" "$size" "$free" "$share" "$inodes"
    }
}

about_disks() {
    disk root /
    if [ -d /srv/frostbyte ]; then disk volume /srv/frostbyte; fi
    if root="$(timeout "$engine_seconds" docker info --format '{{.DockerRootDir}}' 2>/dev/null)"; then
        disk docker "$root"
    fi
}

about_docker() {
    version="$(timeout "$engine_seconds" docker version --format '{{.Server.Version}}' 2>/dev/null)"
    compose="$(timeout "$engine_seconds" docker compose version --short 2>/dev/null)"
    driver="$(timeout "$engine_seconds" docker info --format '{{.Driver}}' 2>/dev/null)"
    row docker version "${version:-silent}"
    row docker compose "${compose:-none}"
    row docker driver "${driver:-unknown}"
    row docker images "$(timeout "$engine_seconds" docker image ls --all --quiet 2>/dev/null | wc -l)"
}

about_services() {
    timeout "$engine_seconds" docker ps --all --no-trunc --format '{{.ID}} {{.Label "com.docker.compose.service"}}' 2>/dev/null |
        while read -r id service; do
            if [ -z "$service" ]; then continue; fi
            # shellcheck disable=SC2046
            row service "$service" $(timeout "$engine_seconds" docker inspect --format \
                '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}-{{end}} {{.State.ExitCode}} {{.RestartCount}} {{.State.OOMKilled}} {{.State.StartedAt}} {{.Image}}' \
                "$id" 2>/dev/null)
        done
    timeout "$engine_seconds" docker stats --no-stream --format '{{.Name}} {{.CPUPerc}} {{.MemPerc}} {{.PIDs}}' 2>/dev/null |
        while read -r name share memory tasks; do row uses "$name" "$share" "$memory" "$tasks"; done
}

about_plane() {
    cd -- "$folder" 2>/dev/null || return 0
    timeout "$engine_seconds" docker compose exec -T intake-gateway frostbyte plane status --json 2>/dev/null |
        while read -r line; do row plane "$line"; done
}

about_host
about_disks
about_docker
about_services
about_plane
exit 0
