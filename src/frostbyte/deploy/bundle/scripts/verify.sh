#!/usr/bin/env bash
# Looks whether a plane is what was signed, whether anything leads out of it, and whether it does what is promised, by
# an acceptance test that leaves nothing behind. It works on images without a shell: what runs in them, or in their
# networks, is Frostbyte's own. The report is for people, and the same for programs is kept beside.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=running.sh
. "$BUNDLE/scripts/running.sh"

# Of Docker's disk, in MB: below the first it soon ends, below the second the stores stop.
readonly DISK_WARN_MB=5120 DISK_FAIL_MB=1024
readonly PROBE_SECONDS=60 ENGINE_SECONDS=60

usage() {
    printf '%s\n' \
        'Usage: scripts/verify.sh [--into DIR] [--read-only] [--whole-audit] [--signatures-days WARN,FAIL]' \
        '                         [--model-days WARN,FAIL] [--outside ADDRESS:PORT]... [--json]' \
        '' \
        '  --into DIR         where the plane is kept (/opt/frostbyte)' \
        '  --read-only        send no documents: look at state, isolation, ages and audit alone' \
        '  --whole-audit      read every event of the log, not the newest 50,000' \
        '  --signatures-days  how old the scanner'\''s signatures may be (35,100; 0 for no limit)' \
        '  --model-days       how old the embedding model may be (0,0)' \
        '  --outside          a host outside that must not be reached; it need not exist (198.51.100.1:443)' \
        '  --json             print the report for programs, and nothing else' \
        '' \
        'Ends with 0 if all is well, with 1 if something is not, and never changes what it looks at.'
}
wrong_usage() {
    usage >&2
    stop "$EXIT_USAGE" usage "$1" "Write it as shown above."
}

read_command_line() {
    CHECK=() OUTSIDE=() AS_JSON='' READ_ONLY=no
    while (($# > 0)); do
        case "$1" in
            --help | -h)
                usage
                exit 0
                ;;
            --read-only)
                CHECK+=("$1")
                READ_ONLY=yes
                ;;
            --whole-audit) CHECK+=("$1") ;;
            --json) AS_JSON=yes ;;
            --into | --signatures-days | --model-days | --outside)
                if [[ -z ${2-} ]]; then wrong_usage "$1 needs a value."; fi
                case "$1" in
                    --into) INTO="$(realpath -m -- "$2")" ;;
                    --outside)
                        if [[ ! $2 =~ ^[0-9.]+:[0-9]+$ ]]; then wrong_usage "$2 is not written ADDRESS:PORT."; fi
                        OUTSIDE+=(--to "$2")
                        ;;
                    *)
                        if [[ ! $2 =~ ^[0-9]{1,5},[0-9]{1,5}$ ]]; then wrong_usage "$1 wants two numbers of days: WARN,FAIL."; fi
                        CHECK+=("$1" "$2")
                        ;;
                esac
                shift
                ;;
            *) wrong_usage "There is no option $1." ;;
        esac
        shift
    done
}

# --------------------------------------------------------------------------------------------------------------- report

REPORT='' SECTION='' SECTIONS=() LEVELS=() NAMES=() MESSAGES=() REMEDIES=() PROBES='' FACT_NAMES=() FACT_VALUES=()
CHECKPOINT=''

tell() {
    REPORT+="$*"$'\n'
    if [[ -z $AS_JSON ]]; then say "$*"; fi
}

section() {
    SECTION="$1"
    tell ''
    tell "== $2"
}

# found LEVEL NAME MESSAGE [REMEDY]: ok, warn or fail.
found() {
    local mark
    SECTIONS+=("$SECTION") LEVELS+=("$1") NAMES+=("$2") MESSAGES+=("$3") REMEDIES+=("${4-}")
    case "$1" in
        ok) mark='ok  ' ;;
        warn) mark='WARN' ;;
        *) mark='FAIL' ;;
    esac
    printf -v mark '  %s  %-20s %s' "$mark" "$2" "$3"
    tell "$mark"
    if [[ -n ${4-} ]]; then tell "        What to do: $4"; fi
}

fact() { FACT_NAMES+=("$1") FACT_VALUES+=("$2"); }

# tried NAME MESSAGE COMMAND...: a check of lib.sh that stops where it finds something; here it is one of many. It runs
# in a subshell, so that it may.
tried() {
    local name="$1" message="$2" said status=0 line what='' remedy=''
    shift 2
    said="$("$@" 2>&1)" || status=$?
    if ((status == 0)); then
        found ok "$name" "$message"
        return
    fi
    while IFS= read -r line; do
        if [[ $line =~ ^(.*)' ['[a-z_]+']'$ ]]; then what="${BASH_REMATCH[1]}"; fi
        if [[ $line == '  What to do: '* ]]; then remedy="${line#  What to do: }"; fi
    done <<<"$said"
    found fail "$name" "${what:-It could not be looked at (${said//$'\n'/; }).}" "${remedy:-Look at what is said above.}"
}

# taken PREFIX TEXT STATUS: findings that a command of ours has printed for scripts. One that printed none has failed.
taken() {
    local kind level name message remedy count=0
    while IFS=$'\t' read -r kind level name message remedy; do
        case "$kind" in
            finding)
                found "$level" "$name" "$message" "${remedy#-}"
                count=$((count + 1))
                ;;
            fact) fact "$1_$level" "$name" ;;
            checkpoint) CHECKPOINT+="$level"$'\n' ;;
        esac
    done <<<"$2"
    if ((count == 0 || ($3 != 0 && $3 != 3))); then
        found fail "$1" "This could not be looked at: the command ended with $3 (${4//$'\n'/; })." \
            "Look at the services above. If they are well, run support.sh and report it."
    fi
}

json_text() {
    local text="$1" quote='"' slash=$'\\'
    text="${text//"$slash"/"$slash$slash"}"
    text="${text//"$quote"/"$slash$quote"}"
    text="${text//$'\n'/"${slash}n"}"
    text="${text//$'\t'/"${slash}t"}"
    printf '"%s"' "${text//[$'\x01'-$'\x1f'$'\x7f']/?}"
}

# Pairs of names and values that are texts, as members of an object.
json_members() {
    local comma=''
    while (($# > 1)); do
        printf '%s\n  %s: %s' "$comma" "$(json_text "$1")" "$(json_text "$2")"
        comma=,
        shift 2
    done
}

json_report() {
    local at comma='' pairs=()
    printf '{'
    json_members format frostbyte-verify/1 result "$RESULT" started_at "$STARTED" ended_at "$(now)" read_only "$READ_ONLY" \
        bundle "$BUNDLE_ID" version "$BUNDLE_VERSION" tenant "$BUNDLE_TENANT" checkpoint "$CHECKPOINT"
    printf ',\n  "findings": ['
    for at in "${!NAMES[@]}"; do
        printf '%s{' "$comma"
        json_members section "${SECTIONS[at]}" level "${LEVELS[at]}" name "${NAMES[at]}" message "${MESSAGES[at]}" \
            remedy "${REMEDIES[at]}"
        printf '}'
        comma=,
    done
    for at in "${!FACT_NAMES[@]}"; do pairs+=("${FACT_NAMES[at]}" "${FACT_VALUES[at]}"); done
    printf '],\n  "facts": {'
    json_members "${pairs[@]}"
    printf '},\n  "probes": {%s}\n}\n' "$PROBES"
}

# --------------------------------------------------------------------------------------------------------------- bundle

kept_files() {
    local path kept=()
    check_signature "$INTO/bundle" "$INTO/trust/signers"
    read_sums "$INTO/bundle"
    for path in "${SUM_PATHS[@]}"; do
        case "$path" in
            images/* | models/*) ;;
            *) kept+=("$path") ;;
        esac
    done
    check_sums "$INTO/bundle/." "${kept[@]}"
    check_listing "$INTO/bundle/."
}

check_bundle() {
    local key wanted wrong=()
    section bundle "What was signed"
    tried signature "The bundle's list of sums is signed by a key that was believed at install." \
        check_signature "$INTO/bundle" "$INTO/trust/signers"
    tried files "Every file that was kept of the bundle is what was signed, these scripts too, and no other lies there." \
        kept_files
    known_images
    for key in "${IMAGE_KEYS[@]}"; do
        wanted="$(setting "$(image_setting "$key")")"
        if [[ -z ${LOADED[$key]} ]]; then
            wrong+=("$key is not there")
        elif [[ ${LOADED[$key]} != "$wanted" ]]; then
            wrong+=("$key is another one in the plane's settings")
        fi
    done
    if ((${#wrong[@]} > 0)); then
        found fail images_signed "Images are not those that were signed: $(listed "${wrong[@]}")." \
            "Bring the bundle's disk and run its install.sh: it loads what is missing and sets what runs."
    else
        found ok images_signed "${#IMAGE_KEYS[@]} images are in Docker with the ids or the layers that were signed."
    fi
    check_models
}

listed() {
    local text="$1"
    shift
    while (($# > 0)); do
        text+="; $1"
        shift
    done
    printf '%s' "$text"
}

# Models and signatures lie in volumes, where nobody has signed for them since: their sums are taken anew.
check_models() {
    local said status=0 line path known wrong=() mounts=() count=0 errors
    local -A there=() wanted=()
    for path in "${MODEL_PATHS[@]}"; do
        case "$path" in
            models/clamav/*) wanted["/clamav/${path#models/clamav/}"]="${MODEL_SHA256[$path]}" ;;
            *) wanted["/$path"]="${MODEL_SHA256[$path]}" ;;
        esac
    done
    for path in models:/models clamavdata:/clamav; do
        mounts+=(--mount "type=volume,source=$(project)_${path%%:*},target=${path#*:},readonly")
    done
    errors="$INTO/state/verify/errors"
    said="$(ours "$(setting FROSTBYTE_IMAGE_API)" --user 0:0 --cap-add DAC_READ_SEARCH \
        "${mounts[@]}" -- frostbyte plane digests /models /clamav 2>"$errors")" || status=$?
    if ((status != 0)); then
        found fail models_signed "Models and signatures could not be looked at ($(tr '\n' ' ' <"$errors"))." \
            "If the volumes are gone, bring the bundle's disk and run its install.sh: it puts them in their place."
        return
    fi
    while IFS= read -r line; do
        if [[ -n $line ]]; then there["${line:66}"]="${line:0:64}"; fi
    done <<<"$said"
    for known in "${!wanted[@]}"; do
        if [[ ${there[$known]-} != "${wanted[$known]}" ]]; then wrong+=("${known##*/} is not what was signed"); fi
    done
    for known in "${!there[@]}"; do
        case "$known" in
            /clamav/*.c[vl]d | /clamav/*.[hmnlfips]db | /clamav/*.[hmnlps]d[bu] | /clamav/*.ign* | /clamav/*.fp | /clamav/*.wdb | *.gguf)
                count=$((count + 1))
                if [[ -z ${wanted[$known]-} ]]; then wrong+=("${known##*/} was not signed"); fi
                ;;
        esac
    done
    if ((${#wrong[@]} > 0)); then
        found fail models_signed "In the plane's volumes: $(listed "${wrong[@]}")." \
            "Bring the bundle's disk and run its install.sh: it puts them in their place. Find out who changed them."
    else
        found ok models_signed "$count files of models and signatures in the plane's volumes are what was signed."
    fi
}

# ----------------------------------------------------------------------------------------------------------------- host

check_host() {
    local version root free today closed
    section host "This host"
    version="$(docker version --format '{{.Server.Version}}' 2>/dev/null)" || version=''
    root="$(docker info --format '{{.DockerRootDir}}' 2>/dev/null)" || root=''
    if [[ -z $version || -z $root ]]; then
        found fail docker "Docker does not answer." "Start its service, and run this as root or as somebody in the group docker."
    else
        found ok docker "Docker $version answers, with Compose $(docker compose version --short 2>/dev/null || printf '(none)')."
        fact docker "$version"
        free="$(df --output=avail --block-size=1M -- "$root" 2>/dev/null | tail -n 1)" || free=''
        free="${free// /}"
        fact disk_free_mb "${free:-unknown}"
        if [[ -z $free ]]; then
            found fail disk "The disk of Docker's data cannot be looked at." "Run this on the machine that Docker runs on."
        elif ((free < DISK_FAIL_MB)); then
            found fail disk "$free MB are free where Docker keeps its data." "Make room now: stores stop when a disk is full."
        elif ((free < DISK_WARN_MB)); then
            found warn disk "$free MB are free where Docker keeps its data." "Make room, or move its folder to a larger disk."
        else
            found ok disk "$free MB are free where Docker keeps its data."
        fi
    fi
    today="$(date -u -d '1 day' +%Y-%m-%dT%H:%M:%SZ)"
    if [[ $today < $BUNDLE_CREATED_AT ]]; then
        found fail clock "The clock says $(now), and the bundle was made at $BUNDLE_CREATED_AT." "Set this host's clock."
    else
        found ok clock "The clock says $(now)."
    fi
    closed="$(open_secrets)"
    if [[ -n $closed ]]; then
        found fail secrets_closed "Other users of this host may read the plane's secrets (${closed//$'\n'/, })." \
            "chmod -R o= $INTO/plane/secrets $INTO/plane/passwords, and make those anew that somebody may have read."
    else
        found ok secrets_closed "The plane's secrets are closed to other users of this host."
    fi
    if [[ -f $INTO/state/update.journal ]]; then
        found warn unfinished "An update was begun and not ended." "Run update.sh again: it ends it."
    else
        found ok unfinished "No update is unfinished."
    fi
}

# Files below the two folders that others may read, or the folders' absence.
open_secrets() {
    local folder path mode
    for folder in secrets passwords; do
        if [[ ! -d $INTO/plane/$folder ]]; then
            say "$folder is not there"
            continue
        fi
        for path in "$INTO/plane/$folder"/*; do
            mode="$(stat -c %a -- "$path" 2>/dev/null)" || mode=777
            # The folder's own closing is enough: who may not enter it reads nothing in it.
            if ((8#$mode & 7)) && ((8#$(stat -c %a -- "$INTO/plane/$folder") & 7)); then say "$folder/${path##*/}"; fi
        done
    done
}

# ---------------------------------------------------------------------------------------------------------------- plane

check_plane() {
    local service key words=() ids=() networks=() view said status=0 errors="$INTO/state/verify/errors"
    section plane "What runs"
    mapfile -t ids < <(docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$(project)" 2>/dev/null)
    mapfile -t networks < <(docker network ls --quiet --filter "label=com.docker.compose.project=$(project)" 2>/dev/null)
    while IFS= read -r service; do
        if [[ -n $service ]]; then words+=(--service "$service"); fi
    done < <(compose config --services 2>/dev/null)
    for key in "${IMAGE_KEYS[@]}"; do
        if [[ -n ${LOADED[$key]} ]]; then words+=(--image "${LOADED[$key]}"); fi
    done
    view="$(seen "${ids[*]}" "${networks[*]}" 2>/dev/null)" || view=''
    said="$(ours "$(setting FROSTBYTE_IMAGE_API)" --interactive -- frostbyte plane containers --lines \
        --project "$(project)" --port "$(setting FROSTBYTE_PORT 8080)" --folder "$INTO/plane/secrets" \
        --folder "$INTO/bundle/config" "${words[@]}" \
        <<<"$view" 2>"$errors")" || status=$?
    taken containers "$said" "$status" "$(<"$errors")"
    check_health
}

# seen CONTAINERS NETWORKS: what Docker says of them, as JSON.
seen() {
    local ids
    read -ra ids <<<"$1"
    if ((${#ids[@]} > 0)); then timeout "$ENGINE_SECONDS" docker inspect "${ids[@]}"; else printf '[]\n'; fi
    read -ra ids <<<"$2"
    if ((${#ids[@]} > 0)); then timeout "$ENGINE_SECONDS" docker network inspect "${ids[@]}"; else printf '[]\n'; fi
}

# By the way that people come: through the door, with bash's own sockets.
check_health() {
    local port answer
    port="$(setting FROSTBYTE_PORT 8080)"
    answer="$(asked "$port" 2>/dev/null)" || answer=''
    if [[ $answer =~ ^HTTP/1\.[01]\ 200 ]]; then
        found ok health "GET /health at 127.0.0.1:$port gives 200."
    else
        found fail health "GET /health at 127.0.0.1:$port gives ${answer:-no answer}." \
            "See which services are not well above; the door passes on what the gateway answers."
    fi
}
asked() {
    local line connection
    exec {connection}<>"/dev/tcp/127.0.0.1/$1"
    printf 'GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n' >&"$connection"
    IFS= read -r -t 15 line <&"$connection"
    printf '%s' "${line%$'\r'}"
}

# ------------------------------------------------------------------------------------------------------------ isolation

check_isolation() {
    local service id state said status line way='' wrong=() routed=() dead=() untried=() count=0 attempts=0 comma=''
    section isolation "What leads out"
    while IFS=$'\t' read -r service id state; do
        if [[ -z $service || $state != running ]]; then continue; fi
        count=$((count + 1)) status=0
        said="$(probed "$id" 2>/dev/null)" || status=$?
        if [[ $said != '{'*'}' || ($status != 0 && $status != 3) ]]; then
            untried+=("$service")
            continue
        fi
        PROBES+="$comma"$'\n'"  $(json_text "$service"): $said"
        comma=,
        while IFS= read -r line; do
            case "$line" in
                *'"way": '*) way="${line#*: \"}" way="${way%%\"*}" attempts=$((attempts + 1)) ;;
                *'"holds": false'*) wrong+=("$service by $way") ;;
                *'"dead": true'*) dead+=("$service") ;;
                *'"dead": false'*) routed+=("$service") ;;
            esac
        done <<<"$said"
        if ((status != 0 && ${#wrong[@]} == 0 && ${#routed[@]} == 0)); then wrong+=("$service"); fi
    done < <(docker ps --all --no-trunc --filter "label=com.docker.compose.project=$(project)" \
        --format '{{.Label "com.docker.compose.service"}}\t{{.ID}}\t{{.State}}' 2>/dev/null)
    judge_isolation
}

# Reads what check_isolation has counted.
judge_isolation() {
    local remedy="Stop the plane (docker stop) until you know why: somebody has joined a container to another network, or changed this host's rules."
    if ((count == 0 || ${#untried[@]} > 0)); then
        found fail probes "It could not be tried in ${count} containers what leads out of them: ${untried[*]:-none runs}." \
            "See above why they do not run, then look again."
    fi
    if ((${#routed[@]} > 0)); then
        found fail no_default_route "A default route leads somewhere: ${routed[*]}." "$remedy"
    elif ((count > ${#untried[@]})); then
        found ok no_default_route "$((count - ${#untried[@]})) containers have no default route${dead[*]:+, but ${dead[*]} one whose next hop nobody has}."
    fi
    if ((${#wrong[@]} > 0)); then
        found fail nothing_leads_out "Something leads out: $(listed "${wrong[@]}")." "$remedy"
    elif ((count > ${#untried[@]})); then
        found ok nothing_leads_out "$attempts attempts to get out of $((count - ${#untried[@]})) containers came to nothing: TCP, UDP, ping, names, source routes, raw packets and frames."
    fi
}

# probed CONTAINER: every way out of its network, by a container beside it that has no rights and its network alone.
probed() {
    timeout "$PROBE_SECONDS" docker run --rm --pull never --network "container:$1" --read-only --cap-drop ALL \
        --security-opt no-new-privileges --memory 256m --pids-limit 64 --log-driver none --entrypoint frostbyte \
        "$(setting FROSTBYTE_IMAGE_API)" plane probe --json "${OUTSIDE[@]}"
}

# ----------------------------------------------------------------------------------------------------------- acceptance

check_acceptance() {
    local said status=0 held='' words=("${CHECK[@]}") path key='' errors="$INTO/state/verify/errors"
    if [[ $READ_ONLY == yes ]]; then section acceptance "What it says of itself, and its audit"; else section acceptance "Acceptance test"; fi
    for path in "${MODEL_PATHS[@]}"; do
        case "$path" in
            models/clamav/*) words+=(--signatures-date "${MODEL_DATE[$path]}") ;;
            *.gguf) words+=(--model-date "${MODEL_DATE[$path]}") ;;
        esac
    done
    if [[ -s $INTO/state/log.pub ]]; then
        key="$(<"$INTO/state/log.pub")"
        words+=(--key "$key")
    else
        found warn log_key "The key of the audit log was not kept at install, so the plane's own word is taken for it." \
            "Write down the key that this report names, and compare it the next time."
    fi
    for path in checkpoint first-checkpoint; do
        if [[ -s $INTO/state/$path ]]; then
            held="$(<"$INTO/state/$path")"
            words+=(--since -)
            break
        fi
    done
    said="$(compose exec -T intake-gateway frostbyte plane check --lines "${words[@]}" <<<"$held" 2>"$errors")" || status=$?
    taken acceptance "$said" "$status" "$(<"$errors")"
    # What was seen last is what the next look begins with; never where anything about the log was not as it should be.
    if [[ -n $CHECKPOINT && $said != *$'finding\tfail\taudit_'* ]]; then
        printf '%s' "$CHECKPOINT" | put_file "$INTO/state/checkpoint" 0600
    fi
}

# ----------------------------------------------------------------------------------------------------------------------

conclude() {
    local at fails=0 warns=0 file text
    for at in "${!LEVELS[@]}"; do
        case "${LEVELS[at]}" in
            fail) fails=$((fails + 1)) ;;
            warn) warns=$((warns + 1)) ;;
        esac
    done
    RESULT=ok
    if ((warns > 0)); then RESULT=warn; fi
    if ((fails > 0)); then RESULT=fail; fi
    section result "Result"
    case "$RESULT" in
        ok) tell "  WELL: all ${#LEVELS[@]} things that were looked at are as they should be." ;;
        warn) tell "  WELL, WITH $warns WARNINGS: of ${#LEVELS[@]} things that were looked at." ;;
        fail) tell "  NOT WELL: $fails of ${#LEVELS[@]} things that were looked at are not as they should be, and $warns warnings." ;;
    esac
    for at in "${!LEVELS[@]}"; do
        if [[ ${LEVELS[at]} == fail ]]; then
            tell "  - ${NAMES[at]}: ${MESSAGES[at]}"
            tell "    What to do: ${REMEDIES[at]}"
        fi
    done
    if [[ -n $CHECKPOINT ]]; then
        tell ''
        tell 'Write this checkpoint down where this host cannot reach: it shows later that nothing was taken back.'
        tell "$CHECKPOINT"
    fi
    file="$INTO/state/verify/${STARTED//[-:]/}"
    text="$(json_report)"
    printf '%s\n' "$text" | put_file "$file.json"
    printf '%s' "$REPORT" | put_file "$file.txt"
    if [[ -n $AS_JSON ]]; then
        printf '%s\n' "$text"
    else
        say "This report is kept as $file.txt, and for programs as $file.json"
        say "(sha256 $(sha256sum <"$file.json" | head -c 64))."
    fi
    if [[ $RESULT == fail ]]; then exit "$EXIT_FAILED"; fi
}

main() {
    read_command_line "$@"
    if [[ ! -L $INTO/bundle || ! -f $INTO/trust/signers ]]; then
        stop "$EXIT_HOST" not_installed "There is no plane in $INTO." "Name its folder: --into DIR, or install one first."
    fi
    read_manifest "$INTO/bundle"
    lock_host
    mkdir -p -- "$INTO/state/verify"
    STARTED="$(now)"
    tell "Frostbyte: the plane of $BUNDLE_TENANT in $INTO, bundle $BUNDLE_ID, looked at $STARTED"
    check_bundle
    check_host
    check_plane
    check_isolation
    check_acceptance
    conclude
}

main "$@"
