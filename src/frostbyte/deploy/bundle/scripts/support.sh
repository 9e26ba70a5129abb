#!/usr/bin/env bash
# Collects what helps to find out why a plane is not well, in one file of text that a person can read before it leaves:
# versions, health, states, sizes, and of logs only what holds no content. No document, no name of one, no question, no
# secret is in it: what is written comes from lists of what may be written, and never from lists of what may not.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=running.sh
. "$BUNDLE/scripts/running.sh"

readonly LINES_EACH=5000 ENGINE_SECONDS=60

usage() {
    printf '%s\n' \
        'Usage: scripts/support.sh [--into DIR] [--out FILE]' \
        '' \
        '  --into DIR   where the plane is kept (/opt/frostbyte)' \
        '  --out FILE   what is written (INTO/support/TENANT-TIME.txt)' \
        '' \
        'The file is text. Read it before you hand it on.'
}
wrong_usage() {
    usage >&2
    stop "$EXIT_USAGE" usage "$1" "Write it as shown above."
}

read_command_line() {
    OUT=''
    while (($# > 0)); do
        case "$1" in
            --help | -h)
                usage
                exit 0
                ;;
            --into | --out)
                if [[ -z ${2-} ]]; then wrong_usage "$1 needs a value."; fi
                if [[ $1 == --into ]]; then INTO="$(realpath -m -- "$2")"; else OUT="$(realpath -m -- "$2")"; fi
                shift
                ;;
            *) wrong_usage "There is no option $1." ;;
        esac
        shift
    done
}

# word TEXT: it, if it is one of those that versions, ids, states and numbers are written with; nothing else of it.
word() {
    if [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9_.:+/@%()-]{0,127}$ ]]; then printf '%s' "$1"; else printf '(not shown)'; fi
}

# row TEXT...: words of a line, apart by blanks.
row() {
    local text=''
    while (($# > 0)); do
        text+=" $(word "${1:--}")"
        shift
    done
    say " ${text//(not shown)/?}"
}

about_host() {
    local name amount unit one
    step "Host"
    row kernel "$(uname -r)" "$(uname -m)" processors "$(nproc)"
    while read -r name amount unit; do
        case "$name" in MemTotal: | MemAvailable: | SwapTotal: | SwapFree:) row memory "${name%:}" "$amount" "${unit:-kB}" ;; esac
    done </proc/meminfo
    read -r name amount unit one </proc/loadavg
    row load "$name" "$amount" "$unit"
    read -r one _ </proc/uptime
    row up_seconds "${one%.*}"
    for one in bash realpath; do row program "$one" "$("$one" --version 2>/dev/null | version_of)"; done
    row clock "$(now)"
}
# The first word of the first line that looks like a version.
version_of() {
    local line one
    read -r line || line=''
    cat >/dev/null
    for one in $line; do
        if [[ $one =~ ^[0-9]+\.[0-9.]+ ]]; then
            printf '%s' "${BASH_REMATCH[0]}"
            return
        fi
    done
}

about_docker() {
    local root name rest
    step "Docker"
    row docker "$(docker version --format '{{.Server.Version}}' 2>/dev/null || printf silent)" \
        compose "$(docker compose version --short 2>/dev/null || printf none)" \
        driver "$(docker info --format '{{.Driver}}' 2>/dev/null || printf unknown)"
    root="$(docker info --format '{{.DockerRootDir}}' 2>/dev/null)" || root=/
    disk docker "$root"
    disk plane "$INTO"
    while IFS=$'\t' read -r name rest; do
        if [[ -n $name ]]; then row kept "${name// /_}" "${rest%%$'\t'*}" "${rest#*$'\t'}"; fi
    done < <(timeout "$ENGINE_SECONDS" docker system df --format '{{.Type}}\t{{.Size}}\t{{.TotalCount}}' 2>/dev/null)
}
# disk NAME PATH: sizes in MB and inodes; the path is not told.
disk() {
    local line
    line="$(df --output=size,avail,pcent,iavail --block-size=1M -- "$2" 2>/dev/null | tail -n 1)" || line=''
    # shellcheck disable=SC2086
    row "disk_$1" size_avail_used_inodes ${line:-unknown}
}

about_bundle() {
    local key line name value path
    step "Bundle"
    row bundle "$BUNDLE_ID" version "$BUNDLE_VERSION" schema "$BUNDLE_SCHEMA" made "$BUNDLE_CREATED_AT"
    row stand_ins "${BUNDLE_STAND_INS:-none}"
    known_images
    for key in "${IMAGE_KEYS[@]}"; do
        row image "$key" "${IMAGE_ID[$key]}" here "${LOADED[$key]:-no}" set "$(setting "$(image_setting "$key")" -)"
    done
    for path in "${MODEL_PATHS[@]}"; do row model "${path##*/}" "${MODEL_SIZE[$path]}" "${MODEL_DATE[$path]:--}"; done
    step "Settings"
    for name in FROSTBYTE_PORT FROSTBYTE_SUBNET FROSTBYTE_EDGE_SUBNET FROSTBYTE_EDGE_GATEWAY FROSTBYTE_EDGE_DEAD_END \
        FROSTBYTE_SERVING_ADDRESS FROSTBYTE_SECRETS_GROUP FROSTBYTE_LOG_LEVEL; do
        value="$(setting "$name")"
        if [[ $value =~ ^([0-9./]+|debug|info|warning|error)$ ]]; then row "$name" "$value"; fi
    done
    step "What the scripts have done"
    for path in "$INTO"/state/*.journal*; do
        if [[ ! -f $path ]]; then continue; fi
        while IFS=$'\t' read -r line value _; do
            if [[ $line =~ ^[0-9TZ:-]+$ && $value =~ ^[a-z_-]{1,32}$ ]]; then row "${path##*/}" "$line" "$value"; fi
        done <"$path"
    done
    for path in "$INTO"/state/verify/*.json; do if [[ -f $path ]]; then row looked_at "${path##*/}" "$(findings_of "$path")"; fi; done
}
# The names of what a report of verify.sh found not well, and no more of it.
findings_of() {
    local line level='' found=''
    while IFS= read -r line; do
        case "$line" in
            *'"level": "fail"'*) level=fail ;;
            *'"level": '*) level='' ;;
            *'"name": '*)
                line="${line#*'"name": "'}"
                line="${line%%\"*}"
                if [[ $level == fail && $line =~ ^[a-z_]{1,32}$ ]]; then found+="${found:+/}$line"; fi
                ;;
        esac
    done <"$1"
    printf '%s' "${found:-well}"
}

about_services() {
    local id service status said
    step "Services"
    while IFS=$'\t' read -r id service status; do
        if [[ -z $id ]]; then continue; fi
        said="$(docker inspect --format '{{.State.Status}} exit {{.State.ExitCode}} restarts {{.RestartCount}} out_of_memory {{.State.OOMKilled}} started {{.State.StartedAt}} {{.Image}}' \
            "$id" 2>/dev/null)" || said='gone'
        # shellcheck disable=SC2086
        row "$service" "$(health_of "$status")" $said
    done < <(docker ps --all --no-trunc --filter "label=com.docker.compose.project=$(project)" \
        --format '{{.ID}}\t{{.Label "com.docker.compose.service"}}\t{{.Status}}' 2>/dev/null)
    step "What they use"
    while read -r said; do
        # shellcheck disable=SC2086
        if [[ -n $said ]]; then row $said; fi
    done < <(timeout "$ENGINE_SECONDS" docker stats --no-stream --format '{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.PIDs}}' 2>/dev/null)
    step "What the plane says"
    said="$(timeout "$ENGINE_SECONDS" docker compose --project-directory "$INTO/plane" --env-file "$INTO/plane/.env" \
        --file "$INTO/bundle/docker-compose.yml" exec -T intake-gateway frostbyte plane status --json 2>/dev/null)" || said=''
    while read -r said; do
        if [[ $said =~ ^\"([a-z_]{1,32})\":\ \"?([a-z_]{1,32}|[0-9]{1,16})\"?,?$ ]]; then
            row "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
        fi
    done <<<"$said"
}

# What Docker says of it in brackets: healthy, unhealthy, starting.
health_of() { if [[ $1 =~ \((healthy|unhealthy|health:\ starting)\) ]]; then printf '%s' "${BASH_REMATCH[1]#health: }"; else printf -- '-'; fi; }

# Of each service the newest lines, read by a command of ours in a container without a network: it knows what of a log
# may be told. Without it nothing of a log is.
about_logs() {
    local id service said image
    image="$(setting FROSTBYTE_IMAGE_API)"
    while IFS=$'\t' read -r id service; do
        if [[ -z $id ]]; then continue; fi
        step "Log of $(word "$service"), the newest $LINES_EACH lines"
        said="$(log_of "$id" | ours "$image" --interactive -- frostbyte plane logs 2>/dev/null)" ||
            said='  It cannot be told: the command that knows what may be told did not run.'
        say "$said"
    done < <(docker ps --all --no-trunc --filter "label=com.docker.compose.project=$(project)" \
        --format '{{.ID}}\t{{.Label "com.docker.compose.service"}}' 2>/dev/null)
}
log_of() { timeout "$ENGINE_SECONDS" docker logs --tail "$LINES_EACH" "$1" 2>&1 || true; }

collect() {
    say "Frostbyte support, $(now). It holds versions, states, sizes and counts; no content, no names of documents, no secrets."
    about_host
    about_docker
    about_bundle
    about_services
    about_logs
}

main() {
    local text
    read_command_line "$@"
    if [[ ! -L $INTO/bundle ]]; then
        stop "$EXIT_HOST" not_installed "There is no plane in $INTO." "Name its folder: --into DIR."
    fi
    read_manifest "$INTO/bundle"
    if [[ -z $OUT ]]; then
        mkdir -p -- "$INTO/support"
        OUT="$INTO/support/$BUNDLE_TENANT-$(date -u +%Y%m%dT%H%M%SZ).txt"
    fi
    if [[ ! -d ${OUT%/*} || ! -w ${OUT%/*} ]]; then
        stop "$EXIT_HOST" folder_closed "The folder of $OUT cannot be written." "Name another file: --out FILE."
    fi
    say "Collecting; it takes a minute or two."
    text="$(collect)"
    printf '%s\n' "$text" | put_file "$OUT" 0600
    say "Collected in $OUT"
    say "It is text: read it before you hand it on."
}

main "$@"
