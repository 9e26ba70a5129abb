# shellcheck shell=bash
# What a host must have for a bundle: looked at before anything is changed. All that is missing is said at once.
# install.sh and update.sh source it after lib.sh; read_manifest comes before.
# shellcheck disable=SC2034

readonly DOCKER_LEAST=20.10 COMPOSE_LEAST=2.17
# What a plane writes while it starts, besides its images and models.
readonly START_MB=512

LACKING=0

# lacks NAME WHAT REMEDY: something is missing; the others are looked at as well.
lacks() {
    complain "$@"
    LACKING=$((LACKING + 1))
}

# at_least VERSION LEAST: by their first two numbers.
at_least() {
    local have want
    IFS=.-+ read -ra have <<<"$1"
    IFS=. read -ra want <<<"$2"
    [[ ${have[0]-} =~ ^[0-9]+$ && ${have[1]-} =~ ^[0-9]+$ ]] || return 1
    ((have[0] > want[0] || (have[0] == want[0] && have[1] >= want[1])))
}

# host_engine: ENGINE_ROOT is where Docker keeps what it is given. Without Docker there is nothing more to look at.
host_engine() {
    local version architecture compose security
    if ! command -v docker >/dev/null; then
        stop "$EXIT_HOST" docker_missing "There is no program docker here." \
            "Install Docker $DOCKER_LEAST or later, with Compose $COMPOSE_LEAST or later, from your distribution's disks."
    fi
    version="$(docker version --format '{{.Server.Version}} {{.Server.Arch}}' 2>&1)" ||
        stop "$EXIT_HOST" docker_silent "Docker does not answer (${version##*$'\n'})." \
            "Start its service, and run this as root or as somebody in the group docker."
    architecture="${version##* }"
    version="${version%% *}"
    at_least "$version" "$DOCKER_LEAST" ||
        lacks docker_old "Docker here is $version, and the plane needs $DOCKER_LEAST or later." "Bring a newer Docker."
    compose="$(docker compose version --short 2>/dev/null)" || compose=''
    at_least "${compose#v}" "$COMPOSE_LEAST" ||
        lacks compose_old "Docker has Compose ${compose:-not at all}, and the plane needs $COMPOSE_LEAST or later." \
            "Bring the plugin docker-compose-v2 (one file: it belongs into /usr/libexec/docker/cli-plugins)."
    if [[ $architecture != "$BUNDLE_ARCHITECTURE" ]]; then
        lacks architecture_other "This host is $architecture, and the bundle is for $BUNDLE_ARCHITECTURE." \
            "Bring the bundle for $architecture."
    fi
    ENGINE_ROOT="$(engine info --format '{{.DockerRootDir}}')"
    security="$(engine info --format '{{json .SecurityOptions}}')"
    if [[ $security == *name=rootless* || $security == *name=userns* ]]; then
        lacks docker_renames "This Docker gives its containers other user numbers (rootless, or userns-remap)." \
            "Use one that does not: the plane's secrets are for the user and group that their files name."
    elif [[ ! -d $ENGINE_ROOT ]]; then
        lacks docker_elsewhere "This Docker keeps its data on another machine ($ENGINE_ROOT is not here)." \
            "Run the script on the machine that Docker runs on, and unset DOCKER_HOST."
    fi
}

# host_clock: a bundle that was made tomorrow says that the clock is wrong, and proofs and tokens carry its time.
host_clock() {
    local today
    today="$(date -u -d '1 day' +%Y-%m-%dT%H:%M:%SZ)"
    if [[ $today < $BUNDLE_CREATED_AT ]]; then
        lacks clock_wrong "This host's clock says $(now), and the bundle was made at $BUNDLE_CREATED_AT." \
            "Set the clock (timedatectl set-time): receipts, proofs and tokens carry its time."
    fi
}

# host_memory: what is free now, for a plane that does not run yet.
host_memory() {
    local name amount rest free=0
    while read -r name amount rest; do
        if [[ $name == MemAvailable: ]]; then free=$((amount / 1024)); fi
    done </proc/meminfo
    if ((free < BUNDLE_MEMORY_MB)); then
        lacks memory_short "$free MB of memory are free, and this plane needs $BUNDLE_MEMORY_MB MB." \
            "End other programs, or take a host with more memory."
    fi
}

# host_disk: what this bundle still needs; images that are there already count.
host_disk() {
    local key there=0 need free
    need="$BUNDLE_DISK_MB"
    known_images
    for key in "${IMAGE_KEYS[@]}"; do
        if [[ -n ${LOADED[$key]} ]]; then
            there=$((there + ${IMAGE_UNPACKED[$key]}))
        fi
    done
    need=$((need - there / 1048576))
    if ((need < START_MB)); then need=$START_MB; fi
    free="$(df --output=avail --block-size=1M -- "$ENGINE_ROOT" | tail -n 1)"
    DISK_NEEDED="$need" DISK_FREE="${free// /}"
    if ((DISK_FREE < need)); then
        lacks disk_short "$DISK_FREE MB are free in $ENGINE_ROOT, and this bundle still needs $need MB there." \
            "Make room there, or move Docker's folder to a larger disk (data-root in /etc/docker/daemon.json)."
    fi
}

# host_port PORT: nobody listens there, on the loopback or on all addresses.
host_port() {
    local file number local_address remote state rest hex
    printf -v hex '%04X' "$1"
    for file in /proc/net/tcp /proc/net/tcp6; do
        if [[ ! -r $file ]]; then continue; fi
        while read -r number local_address remote state rest; do
            if [[ $state != 0A || ${local_address##*:} != "$hex" ]]; then continue; fi
            case "${local_address%:*}" in
                0100007F | 00000000 | 00000000000000000000000000000000 | 0000000000000000FFFF00000100007F)
                    lacks port_taken "Another program listens on port $1 of this host." \
                        "End it, or choose another port: --port $(free_port "$1")."
                    return
                    ;;
            esac
        done <"$file"
    done
}

# free_port PORT: the next one above that nobody listens on.
free_port() {
    local file number local_address remote state rest port="$1" taken=' '
    for file in /proc/net/tcp /proc/net/tcp6; do
        if [[ ! -r $file ]]; then continue; fi
        while read -r number local_address remote state rest; do
            if [[ $state == 0A ]]; then taken+="$((16#${local_address##*:})) "; fi
        done <"$file"
    done
    while [[ $taken == *" $port "* ]]; do port=$((port + 1)); done
    printf '%s' "$port"
}

# ------------------------------------------------------------------------------------------------------------- networks
# Networks are numbers here: NET_BASE, NET_BITS of the one that was read last.

# read_net A.B.C.D/N: whether it is one, with nothing behind the N bits.
read_net() {
    local part parts
    [[ $1 =~ ^([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})/([0-9]{1,2})$ ]] || return 1
    parts=("${BASH_REMATCH[@]:1}")
    NET_BASE=0 NET_BITS="$((10#${parts[4]}))"
    for part in "${parts[@]:0:4}"; do
        ((10#$part < 256)) || return 1
        NET_BASE=$((NET_BASE * 256 + 10#$part))
    done
    ((NET_BITS > 0 && NET_BITS <= 32 && (NET_BASE & ((1 << (32 - NET_BITS)) - 1)) == 0))
}

# address NUMBER
address() { printf '%d.%d.%d.%d' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255)); }

# overlap NET NET
overlap() {
    local base bits least
    read_net "$1" || return 1
    base=$NET_BASE bits=$NET_BITS
    read_net "$2" || return 1
    least=$((bits < NET_BITS ? bits : NET_BITS))
    ((base >> (32 - least) == NET_BASE >> (32 - least)))
}

# taken_nets: TAKEN are the networks that this host knows: by its routes, and those of Docker, which need not be up.
taken_nets() {
    local name names subnet subnets iface destination gateway flags refs use metric mask rest bits
    TAKEN=()
    while read -r iface destination gateway flags refs use metric mask rest; do
        if [[ ! $destination =~ ^[0-9A-F]{8}$ || $mask == 00000000 ]]; then continue; fi
        bits=0
        for ((mask = 16#$mask; mask > 0; mask >>= 1)); do bits=$((bits + (mask & 1))); done
        destination="${destination:6:2}${destination:4:2}${destination:2:2}${destination:0:2}"
        TAKEN+=("$(address "$((16#$destination))")/$bits $iface")
    done </proc/net/route
    names="$(engine network ls --format '{{.Name}}')"
    for name in $names; do
        subnets="$(engine network inspect --format '{{range .IPAM.Config}}{{.Subnet}} {{end}}' "$name")"
        for subnet in $subnets; do TAKEN+=("$subnet $name"); done
    done
}

# who_has NET: the name of who has a network that overlaps, or nothing.
who_has() {
    local one
    for one in ${TAKEN[@]+"${TAKEN[@]}"}; do
        if overlap "$1" "${one%% *}"; then
            printf '%s (%s)' "${one#* }" "${one%% *}"
            return
        fi
    done
}

# free_net BITS EXCEPT CANDIDATE...: the first that nobody has and that does not overlap EXCEPT.
free_net() {
    local except="$1" one
    shift
    for one in "$@"; do
        if [[ -z $(who_has "$one") ]] && ! overlap "$one" "$except"; then
            printf '%s' "$one"
            return
        fi
    done
}

# host_networks SUBNET EDGE: both are networks, large enough, apart, and nobody has them. For those that are taken free
# ones are proposed.
host_networks() {
    local who other inner=() outer=() number
    for number in {28..31} {16..27}; do inner+=("172.$number.0.0/16") outer+=("172.$number.255.0/29"); done
    for number in {200..254}; do inner+=("10.$number.0.0/16") outer+=("10.$number.255.0/29"); done
    inner+=(192.168.0.0/16) outer+=(192.168.255.0/29)
    if ! read_net "$1" || ((NET_BITS > 27)); then
        lacks subnet_bad "$1 is no network of at least 32 addresses." "Write it as --subnet 172.28.0.0/16."
        return
    elif ! read_net "$2" || ((NET_BITS > 29)); then
        lacks subnet_bad "$2 is no network of at least 8 addresses." "Write it as --edge 172.30.6.0/29."
        return
    elif overlap "$1" "$2"; then
        lacks subnet_bad "The two networks $1 and $2 overlap." "Choose two that do not: --subnet and --edge."
        return
    fi
    taken_nets
    who="$(who_has "$1")"
    if [[ -n $who ]]; then
        other="$(free_net "$2" "${inner[@]}")"
        lacks subnet_taken "The plane's inner network $1 overlaps one that this host has: $who." \
            "Choose a free one: --subnet ${other:-NETWORK/16}"
    fi
    who="$(who_has "$2")"
    if [[ -n $who ]]; then
        other="$(free_net "${other:-$1}" "${outer[@]}")"
        lacks subnet_taken "The network of the plane's door $2 overlaps one that this host has: $who." \
            "Choose a free one: --edge ${other:-NETWORK/29}"
    fi
}

# network_settings SUBNET EDGE: the lines of .env that follow from both (deploy/compose/options.py says the same).
network_settings() {
    read_net "$1"
    printf 'FROSTBYTE_SUBNET=%s\n' "$1"
    printf 'FROSTBYTE_SERVING_ADDRESS=%s\n' "$(address $((NET_BASE + (1 << (32 - NET_BITS)) - 2)))"
    printf 'FROSTBYTE_DEAD_END=%s\n' "$(address $((NET_BASE + (1 << (32 - NET_BITS)) - 3)))"
    read_net "$2"
    printf 'FROSTBYTE_EDGE_SUBNET=%s\n' "$2"
    printf 'FROSTBYTE_EDGE_GATEWAY=%s\n' "$(address $((NET_BASE + 1)))"
    printf 'FROSTBYTE_EDGE_DEAD_END=%s\n' "$(address $((NET_BASE + (1 << (32 - NET_BITS)) - 2)))"
}
