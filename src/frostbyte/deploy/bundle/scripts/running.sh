# shellcheck shell=bash
# A plane that runs: which of its services are well, and waiting until all are. Sourced after lib.sh.

# project: the name of the plane's compose project.
project() { printf 'frostbyte-%s' "$BUNDLE_TENANT"; }

# inside COMMAND...: one of our commands in the gateway.
inside() { compose exec -T intake-gateway frostbyte "$@"; }

# containers: a line for each of the plane's containers: service, state, and what Docker says of it, apart by tabs.
containers() {
    engine ps --all --filter "label=com.docker.compose.project=$(project)" --no-trunc \
        --format '{{.Label "com.docker.compose.service"}}\t{{.State}}\t{{.Status}}'
}

# unwell: the services that are not well, with what Docker says of each; nothing where all are. A service without a
# container is not well; a task that has ended with 0 is. Where Docker does not say which there are, none is well.
unwell() {
    local service state status services
    local -A seen=()
    services="$(compose config --services)" || services=''
    if [[ -z $services ]]; then
        say "docker: does not say which services there are"
        return
    fi
    while IFS=$'\t' read -r service state status; do
        if [[ -z $service ]]; then continue; fi
        case "$state $status" in
            running*"(healthy)"*) seen["$service"]=well ;;
            running*"("*) seen["$service"]="$status" ;;
            running*) seen["$service"]=well ;;
            "exited Exited (0)"*) seen["$service"]=well ;;
            *) seen["$service"]="${status:-$state}" ;;
        esac
    done < <(containers)
    for service in $(printf '%s\n' "$services" | sort); do
        if [[ ${seen[$service]-} != well ]]; then printf '%s: %s\n' "$service" "${seen[$service]:-is not there}"; fi
    done
}

# wait_well SECONDS: until all services are well; says what it waits for whenever that changes. 1 if time is over.
wait_well() {
    local ill before='' until=$((SECONDS + $1))
    while true; do
        ill="$(unwell)"
        if [[ -z $ill ]]; then return; fi
        if [[ ${ill//:*([^$'\n'])/} != "$before" ]]; then
            before="${ill//:*([^$'\n'])/}"
            say "  waiting for ${before//$'\n'/, }"
        fi
        if ((SECONDS >= until)); then return 1; fi
        sleep 2
    done
}

# start_plane SECONDS: all of it, or a stop that names what is not well and shows its last lines.
start_plane() {
    local ill service
    compose up --detach --remove-orphans || true
    if wait_well "$1"; then return; fi
    ill="$(unwell)"
    for service in $ill; do
        if [[ $service == *: ]]; then
            printf '\nThe last lines of %s\n' "$service" >&2
            compose logs --no-color --tail 5 "${service%:}" >&2 || true
        fi
    done
    stop "$EXIT_FAILED" service_unwell "The plane does not get well: ${ill//$'\n'/; }." \
        "Look at the lines above; support.sh collects more. Run the same command again: it goes on where it stopped."
}
