#!/usr/bin/env bash
# Installs the bundle that it lies in, on a host without a network. It looks first, believes nothing that was not
# signed by a key that you name, goes on where it stopped, and changes nothing where all is done.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=host.sh
. "$BUNDLE/scripts/host.sh"
# shellcheck source=running.sh
. "$BUNDLE/scripts/running.sh"
# shellcheck source=bringing.sh
. "$BUNDLE/scripts/bringing.sh"
# shellcheck source=restoring.sh
. "$BUNDLE/scripts/restoring.sh"
shopt -s extglob

# A slow host may need more; a test needs less.
readonly START_SECONDS="${FROSTBYTE_START_SECONDS:-900}"

usage() {
    printf '%s\n' \
        'Usage: scripts/install.sh --signers FILE [--into DIR] [--port N] [--subnet NET] [--edge NET] [--dry-run]' \
        '' \
        '  --signers FILE  the keys that may sign bundles, as you were given them apart from this bundle' \
        '  --into DIR      where the plane is kept (/opt/frostbyte)' \
        '  --port N        of this host, on its loopback alone (8080)' \
        '  --subnet NET    network of the containers, at least 32 addresses (172.28.0.0/16)' \
        '  --edge NET      network of the door, at least 8 addresses (172.30.6.0/29)' \
        '  --dry-run       look and say what would be done; change nothing' \
        '' \
        'To begin with the documents of another plane:' \
        '  --restore FILE   what its export.sh wrote' \
        '  --identity FILE  the age identity that the keys in it are sealed for' \
        '  --log-key FILE   the verifier key of its log, as it was printed there' \
        '  --erasures FILE  what was erased there since: ids, destruction receipts, or audit_export.jsonl'
}
wrong_usage() {
    usage >&2
    stop "$EXIT_USAGE" usage "$1" "Write it as shown above."
}

read_command_line() {
    SIGNERS='' PORT='' SUBNET='' EDGE='' DRY='' RESTORE='' IDENTITY='' LOG_KEY='' ERASURES=''
    while (($# > 0)); do
        case "$1" in
            --help | -h)
                usage
                exit 0
                ;;
            --dry-run) DRY=yes ;;
            --signers | --into | --port | --subnet | --edge | --restore | --identity | --log-key | --erasures)
                if [[ -z ${2-} ]]; then wrong_usage "$1 needs a value."; fi
                case "$1" in
                    --signers) SIGNERS="$2" ;;
                    --into) INTO="$2" ;;
                    --port) PORT="$2" ;;
                    --subnet) SUBNET="$2" ;;
                    --edge) EDGE="$2" ;;
                    --restore) RESTORE="$2" ;;
                    --identity) IDENTITY="$2" ;;
                    --log-key) LOG_KEY="$2" ;;
                    --erasures) ERASURES="$2" ;;
                esac
                shift
                ;;
            *) wrong_usage "There is no option $1." ;;
        esac
        shift
    done
    if [[ -n $PORT && ! $PORT =~ ^[1-9][0-9]{0,4}$ ]] || ((${PORT:-1} > 65535)); then
        wrong_usage "A port is a number from 1 to 65535."
    fi
    if [[ -n $RESTORE && -z $IDENTITY ]]; then wrong_usage "--restore needs --identity."; fi
    if [[ -z $RESTORE && -n $IDENTITY$LOG_KEY$ERASURES ]]; then wrong_usage "There is nothing to restore: --restore FILE."; fi
    INTO="$(realpath -m -- "$INTO")"
    if [[ $INTO == *[!A-Za-z0-9._/-]* ]]; then
        wrong_usage "The folder's name may hold letters, digits, dots, dashes and underscores alone."
    fi
}

# The signers that are believed: the ones that are pinned here, or at the first time the ones that are named.
find_signers() {
    if [[ -f $INTO/trust/signers ]]; then
        if [[ -n $SIGNERS && "$(sha256sum <"$SIGNERS")" != "$(sha256sum <"$INTO/trust/signers")" ]]; then
            stop "$EXIT_TRUST" signers_differ "These are not the keys that were believed when $INTO was begun." \
                "Leave --signers out. If the keys have changed, docs/offline.md says how trust is handed on."
        fi
        SIGNERS="$INTO/trust/signers"
    elif [[ -z $SIGNERS ]]; then
        wrong_usage "Say whose signature you believe: --signers FILE."
    fi
}

# Nothing else was begun in INTO, and nothing of this tenant's is left of somewhere else.
check_begun() {
    local running='' ids volumes networks
    if [[ -f $INTO/state/update.journal ]]; then
        stop "$EXIT_HOST" update_unfinished "An update of $INTO was not finished." "Run update.sh again: it ends it."
    fi
    if [[ -L $INTO/bundle ]]; then
        running="$(readlink -- "$INTO/bundle")"
        running="${running##*/}"
        if [[ $running != "$BUNDLE_ID" ]]; then
            stop "$EXIT_HOST" installed_other "$INTO has the bundle $running, and this one is $BUNDLE_ID." \
                "To bring this one over it, use its scripts/update.sh. To have two planes, name another folder: --into."
        fi
    fi
    if [[ -L $INTO/bundle ]] || { [[ -f $INTO/state/install.journal ]] && journal_has secrets; }; then return; fi
    ids="$(engine ps --all --quiet --filter "label=com.docker.compose.project=$(project)")"
    volumes="$(engine volume ls --quiet --filter "label=com.docker.compose.project=$(project)")"
    networks="$(engine network ls --quiet --filter "label=com.docker.compose.project=$(project)")"
    if [[ -n $ids$volumes$networks ]]; then
        lacks leftovers "Docker has parts of another plane of the tenant $BUNDLE_TENANT: ${volumes//$'\n'/ } ${ids//$'\n'/ } ${networks//$'\n'/ }." \
            "If that plane is wanted, name its folder: --into DIR. If it is not, remove its containers, volumes and networks (docker rm --force, docker volume rm, docker network rm): its documents go with them."
    fi
}

# Everything that can be known before anything is changed.
check_host() {
    local networks running
    step "Looking at this host"
    host_engine
    host_clock
    check_begun
    PORT="${PORT:-$(setting FROSTBYTE_PORT 8080)}"
    SUBNET="${SUBNET:-$(setting FROSTBYTE_SUBNET 172.28.0.0/16)}"
    EDGE="${EDGE:-$(setting FROSTBYTE_EDGE_SUBNET 172.30.6.0/29)}"
    networks="$(engine network ls --quiet --filter "label=com.docker.compose.project=$(project)")"
    running="$(engine ps --quiet --filter "label=com.docker.compose.project=$(project)")"
    if [[ -z $networks ]]; then
        host_networks "$SUBNET" "$EDGE"
    elif [[ $SUBNET != "$(setting FROSTBYTE_SUBNET "$SUBNET")" || $EDGE != "$(setting FROSTBYTE_EDGE_SUBNET "$EDGE")" ]]; then
        lacks networks_fixed "The plane's networks are there already, as $(setting FROSTBYTE_SUBNET) and $(setting FROSTBYTE_EDGE_SUBNET)." \
            "Leave --subnet and --edge out."
    fi
    if [[ -z $running ]]; then
        host_memory
        host_port "$PORT"
    elif [[ $PORT != "$(setting FROSTBYTE_PORT "$PORT")" ]]; then
        host_port "$PORT"
    fi
    if [[ -d $ENGINE_ROOT ]]; then host_disk; fi
    can_write
    if ((LACKING > 0)); then
        stop "$EXIT_HOST" host_lacks "This host is not ready: $LACKING of what was looked at is said above. Nothing was changed." \
            "Put it right and run this again."
    fi
    say "  Docker and Compose, clock, memory, port $PORT, networks $SUBNET and $EDGE: well"
    say "  disk: $DISK_NEEDED MB needed, $DISK_FREE MB free in $ENGINE_ROOT"
}
can_write() {
    local place="$INTO"
    while [[ ! -e $place ]]; do place="$(dirname -- "$place")"; done
    if [[ ! -d $place || ! -w $place || ! -x $place ]]; then
        lacks folder_closed "The folder $INTO cannot be written by this user." "Run this as root, or name another: --into DIR."
    fi
}

dry_run() {
    local key missing=0
    step "Would be done"
    for key in "${IMAGE_KEYS[@]}"; do
        if [[ -z ${LOADED[$key]} ]]; then
            say "  load $key (${IMAGE_NAME[$key]}, $(mebibytes "${IMAGE_SIZE[$key]}") MB)"
            missing=$((missing + 1))
        fi
    done
    say "  $missing of ${#IMAGE_KEYS[@]} images are loaded, ${#MODEL_PATHS[@]} files of models copied"
    say "  secrets made in $INTO/plane, the plane $(project) started at 127.0.0.1:$PORT"
    say "Nothing was changed."
}

make_secrets() {
    if journal_has secrets; then return; fi
    step "Secrets"
    write_secrets "$(setting FROSTBYTE_IMAGE_API)"
    journal secrets
    say "  made in $INTO/plane, for root and the group $(secrets_group) alone"
}

copy_models() {
    local name
    if journal_has models "$BUNDLE_ID"; then return; fi
    step "Models and signatures"
    for name in models clamavdata; do
        if ! docker volume inspect "$(project)_$name" >/dev/null 2>&1; then
            engine volume create --label "com.docker.compose.project=$(project)" \
                --label "com.docker.compose.volume=$name" "$(project)_$name" >/dev/null
        fi
    done
    place_models "$BUNDLE"
    journal models "$BUNDLE_ID"
}

greet() {
    local token note key=''
    step "Frostbyte $BUNDLE_VERSION answers at http://127.0.0.1:$PORT/"
    if [[ -n $BUNDLE_STAND_INS ]]; then say "  NOT FOR PRODUCTION: a stand-in takes the place of $BUNDLE_STAND_INS."; fi
    if journal_has greeted; then
        say "  Installed already; nothing was changed. A token: see below."
    else
        # The first thing that the log holds is this token; its checkpoint follows within a second or two.
        token="$(inside token mint operator "${FIRST_RIGHTS[@]}" --minutes 60)"
        note="$(first_checkpoint)"
        key="$(inside audit checkpoint --json)"
        if [[ ! $key =~ \"public_key\":\ *\"([^\"]+)\" ]]; then
            stop "$EXIT_FAILED" key_untold "The plane does not say which key signed its first checkpoint." \
                "Run the same command again: it goes on. If it stops here again, run support.sh."
        fi
        key="${BASH_REMATCH[1]}"
        printf '%s\n' "$note" | put_file "$INTO/state/first-checkpoint"
        printf '%s\n' "$key" | put_file "$INTO/state/log.pub"
        printf '\nThe first sign-in, valid for an hour (it is kept nowhere):\n\n%s\n' "$token"
        printf '\nThe first checkpoint of the audit log, and the key that signed it. Write both down where this host cannot reach:\n'
        printf 'whoever has them can show later that nothing was taken back.\n\n%s\n\n%s\n' "$note" "$key"
        journal greeted
    fi
    printf '\nMore tokens:  docker exec %s-intake-gateway-1 frostbyte token mint NAME --scope query\n' "$(project)"
    printf 'Now prove it: %s/bundle/scripts/verify.sh --into %s\n' "$INTO" "$INTO"
}
first_checkpoint() {
    local note tries
    for ((tries = 0; tries < 30; tries++)); do
        if note="$(inside audit checkpoint 2>/dev/null)"; then
            printf '%s' "$note"
            return
        fi
        sleep 1
    done
    inside audit checkpoint
}
readonly FIRST_RIGHTS=(--scope ingest --scope query --scope source --scope review --scope erase --scope audit --scope admin)

main() {
    read_command_line "$@"
    find_signers
    step "Checking the bundle's signature"
    check_signature "$BUNDLE" "$SIGNERS"
    read_sums "$BUNDLE"
    check_listing "$BUNDLE"
    check_sums "$BUNDLE" MANIFEST.json MANIFEST.tsv
    read_manifest "$BUNDLE"
    JOURNAL="$INTO/state/install.journal"
    say "  $BUNDLE_ID, signed by a key that you believe"
    if [[ -n $BUNDLE_BASE ]]; then
        stop "$EXIT_HOST" bundle_partial "This bundle holds only what has changed since $BUNDLE_BASE." \
            "Install $BUNDLE_BASE first, then bring this one over it with its scripts/update.sh."
    fi
    check_restore
    check_host
    step "Checking every file of the bundle"
    check_sums "$BUNDLE"
    say "  ${#SUM_PATHS[@]} files are what was signed"
    if [[ -n $DRY ]]; then
        dry_run
        return
    fi
    install_plane
}

install_plane() {
    local settings ill
    lock_host
    journal_open install
    mkdir -p -- "$INTO/bundles" "$INTO/trust" "$INTO/exports" "$INTO/plane"
    if [[ ! -f $INTO/trust/signers ]]; then put_file "$INTO/trust/signers" <"$SIGNERS"; fi
    keep_bundle "$SIGNERS"
    mapfile -t settings < <(network_settings "$SUBNET" "$EDGE")
    set_settings "${settings[@]}" "FROSTBYTE_PORT=$PORT" "FROSTBYTE_SECRETS_GROUP=$(secrets_group)"
    bring_images
    set_settings "${NEW_SETTINGS[@]}"
    make_secrets
    copy_models
    if [[ ! -L $INTO/bundle ]]; then point "$INTO/bundle" "bundles/$BUNDLE_ID"; fi
    restore_plane
    step "Starting the plane"
    ill="$(unwell)"
    if [[ -z $ill ]]; then say "  all services are well"; else start_plane "$START_SECONDS"; fi
    greet
}

main "$@"
