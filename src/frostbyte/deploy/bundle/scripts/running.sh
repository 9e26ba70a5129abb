# shellcheck shell=bash
# A plane that runs: which of its services are well, and waiting until all are. Sourced after lib.sh.

# project: the name of the plane's compose project.
project() { printf 'frostbyte-%s' "$BUNDLE_TENANT"; }

# inside COMMAND...: one of our commands in the gateway; beside COMMAND...: in the worker. Not by Compose, which reads the
# whole project first.
inside() { docker exec --interactive "$(project)-intake-gateway-1" frostbyte "$@"; }
beside() { docker exec --interactive "$(project)-celery-worker-1" frostbyte "$@"; }

# containers: a line for each of the plane's containers: service, state, and what Docker says of it, apart by tabs.
containers() {
    engine ps --all --filter "label=com.docker.compose.project=$(project)" --no-trunc \
        --format '{{.Label "com.docker.compose.service"}}\t{{.State}}\t{{.Status}}'
}

# unwell: the services that are not well, with what Docker says of each; nothing where all are. A service without a
# container is not well; a task that has ended with 0 is. Where Docker does not say which there are, none is well.
# SERVICES are those that there are, where somebody has asked already.
unwell() {
    local service state status services
    local -A seen=()
    services="${SERVICES:-$(compose config --services)}" || services=''
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

# Starts of one service, one after the other, that are no accident any more.
readonly LOOPS=3
# Compose waits for what a service needs as long as that takes, and for one that starts again and again for ever.
readonly UP_SECONDS="${FROSTBYTE_UP_SECONDS:-25}"

# starts: a line for each of the plane's containers: id, service, how often it was started anew, its state, the exit code
# of its last end, whether memory was short, what is done when it ends, when it was started; apart by tabs.
starts() {
    local ids
    ids="$(engine ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$(project)")"
    if [[ -z $ids ]]; then return; fi
    # One that is gone meanwhile is no matter. `docker inspect` prints \t as it stands, unlike `docker ps`.
    # shellcheck disable=SC2086
    docker inspect --type container --format '{{.Id}}{{"\t"}}{{index .Config.Labels "com.docker.compose.service"}}{{"\t"}}{{.RestartCount}}{{"\t"}}{{.State.Status}}{{"\t"}}{{.State.ExitCode}}{{"\t"}}{{.State.OOMKilled}}{{"\t"}}{{.HostConfig.RestartPolicy.Name}}{{"\t"}}{{.State.StartedAt}}' \
        $ids 2>/dev/null || true
}

# note_starts: from here on starts are counted: those of before may have had a reason that was put right.
note_starts() {
    local id service count state code memory policy at
    declare -gA NOTED_STARTS=() NOTED_AT=()
    while IFS=$'\t' read -r id service count state code memory policy at; do
        NOTED_STARTS["$id"]="$count" NOTED_AT["$id"]="$at"
    done < <(starts)
}

# find_loops ILL: LOOPING are those of the services that are not well which start again and again, or have given up: a
# line for each, service and what became of it, apart by a tab.
find_loops() {
    local id service count state code memory policy at
    LOOPING=''
    while IFS=$'\t' read -r id service count state code memory policy at; do
        if [[ -z $id || $'\n'"$1" != *$'\n'"$service:"* ]]; then continue; fi
        if ((count < ${NOTED_STARTS[$id]:-0})); then NOTED_STARTS["$id"]=0; fi # somebody started it by hand
        if [[ $memory == true || $code == 137 ]]; then code+=", as memory was short"; fi
        if ((count - ${NOTED_STARTS[$id]:-0} >= LOOPS)); then
            LOOPING+="$service"$'\t'"was started $((count - ${NOTED_STARTS[$id]:-0})) times and ended each time (exit code $code)"$'\n'
        elif [[ $state == exited && ${code%%,*} != 0 && $policy == on-failure && $at != "${NOTED_AT[$id]-}" ]]; then
            LOOPING+="$service"$'\t'"has failed (exit code $code)"$'\n'
        elif [[ $state == created && $code == 12[67] ]]; then # its image has no such program, or none that may be run
            LOOPING+="$service"$'\t'"has no program that can be started (exit code $code)"$'\n'
        fi
    done < <(starts)
}

# show_ends SERVICE...: the last lines of each, as far as they hold no content and no secret: a command of ours knows.
show_ends() {
    local service said
    for service in "$@"; do
        said="$(compose logs --no-color --no-log-prefix --tail 20 "$service" 2>&1 |
            ours "$(setting FROSTBYTE_IMAGE_API)" --interactive -- frostbyte plane logs 2>/dev/null)" ||
            said="  What may be shown of it cannot be told here: docker logs $(project)-$service-1"
        printf '\nThe last lines of %s:\n%s\n' "$service" "$said" >&2
    done
}

# bring_up: what is to run is started, as far as what it needs is well; 1 where more is to be started later.
bring_up() {
    timeout --foreground "$UP_SECONDS" docker compose --project-directory "$INTO/plane" --env-file "$INTO/plane/.env" \
        --file "${COMPOSE_BUNDLE:-$INTO/bundle}/docker-compose.yml" up --detach --remove-orphans
}

# start_plane SECONDS: all of it, or a stop that names what is not well and shows its last lines. Says what it waits for
# whenever that changes. A service that cannot start is not waited for.
start_plane() {
    local ill names before='' more=yes until=$((SECONDS + $1)) next=$SECONDS SERVICES
    SERVICES="$(compose config --services)" || SERVICES=''
    note_starts
    while true; do
        if [[ -n $more ]] && ((SECONDS >= next)); then
            if bring_up; then more=''; fi
            next=$((SECONDS + 10))
        fi
        ill="$(unwell)"
        if [[ -z $ill ]]; then return; fi
        names="${ill//:*([^$'\n'])/}"
        if [[ $names != "$before" ]]; then say "  waiting for ${names//$'\n'/, }"; fi
        before="$names"
        find_loops "$ill"
        if [[ -n $LOOPING ]]; then service_loops; fi
        if ((SECONDS >= until)); then service_unwell "$ill"; fi
        sleep 2
    done
}
service_loops() {
    local services said="${LOOPING%$'\n'}" remedy
    mapfile -t services < <(printf '%s\n' "${said//$'\t'*([^$'\n'])/}")
    show_ends "${services[@]}"
    remedy="Put right what its last lines say"
    if [[ $said == *"memory was short"* ]]; then remedy="End what else needs this host's memory, or give it more"; fi
    said="${said//$'\t'/ }"
    stop "$EXIT_FAILED" service_loops "A service cannot start, so nothing is waited for: ${said//$'\n'/; }." \
        "$remedy; support.sh collects more. Run the same command again: it goes on where it stopped."
}
service_unwell() { # ILL
    local services
    mapfile -t services < <(printf '%s\n' "${1//:*([^$'\n'])/}")
    show_ends "${services[@]}"
    stop "$EXIT_FAILED" service_unwell "The plane does not get well: ${1//$'\n'/; }." \
        "Look at the lines above; support.sh collects more. Run the same command again: it goes on where it stopped."
}
