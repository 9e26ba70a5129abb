# shellcheck shell=bash
# What the scripts of a bundle share. They need bash (4.4), coreutils, ssh-keygen and Docker (20.10) with Compose, and
# nothing else: no curl, jq, sed, awk, tar or Python of the host. What needs more runs in our own image, without a network.
#
# A host keeps:
#   INTO/bundle               -> bundles/ID: what runs; switched in one step
#   INTO/bundles/ID/          the signed files of a bundle that was installed, without images and models
#   INTO/plane/.env           what differs on this host: ports, networks, ids of loaded images
#   INTO/plane/secrets/       generated here, never in a bundle; passwords/ beside it
#   INTO/trust/signers        the keys that were believed at install (ssh-keygen's allowed signers)
#   INTO/state/               journals and the lock of these scripts
#   INTO/exports/
#
# A script begins so, and then reads its command line:
#   set -euo pipefail
#   . "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# Names in capitals below are set by the function that stands over them, for the scripts.
# shellcheck disable=SC2034

shopt -s inherit_errexit
set -E
umask 022
export LC_ALL=C

# Exit codes. 0 done, or nothing to do.
readonly EXIT_FAILED=1    # a check says no (verify), or a service is not well
readonly EXIT_USAGE=2     # the command line
readonly EXIT_HOST=10     # the host lacks something: nothing was changed
readonly EXIT_TRUST=11    # signature or sums: nothing was loaded or run
readonly EXIT_ENGINE=12   # Docker refused something: run it again, it goes on
readonly EXIT_BUSY=13     # another of these scripts is at work

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }

# complain NAME WHAT REMEDY: what is wrong and what to do, with a name that programs know.
complain() { printf '\n%s [%s]\n  What to do: %s\n' "$2" "$1" "$3" >&2; }

# stop CODE NAME WHAT REMEDY: every stop says what happened.
stop() {
    complain "$2" "$3" "$4"
    exit "$1"
}

# A command failed that nobody expected to: said once, by the script itself and not by its subshells. A stop within
# $(...) has spoken already.
unexpected() { # STATUS COMMAND
    if ((BASH_SUBSHELL > 0 || ($1 >= EXIT_HOST && $1 <= EXIT_BUSY))); then exit "$1"; fi
    stop "$EXIT_FAILED" unexpected "This failed unexpectedly: ${2%%$'\n'*}" \
        "Look at what is said above. Run the same command again: it goes on where it stopped. If it stops here again, run support.sh."
}
interrupted() {
    trap - INT TERM HUP
    stop "$EXIT_FAILED" interrupted "Interrupted." "Run the same command again: it goes on where it stopped."
}
trap 'unexpected "$?" "$BASH_COMMAND"' ERR
trap interrupted INT TERM HUP

# The bundle that the running script belongs to: on its medium, or INTO/bundles/ID.
BUNDLE="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)"
INTO=/opt/frostbyte

# ---------------------------------------------------------------------------------------------------------------- files

# put_file PATH [MODE]: what comes by stdin becomes that file in one step; a power cut leaves the old or the new.
put_file() {
    local part="$1.part"
    rm -f -- "$part"
    (umask 077 && cat >"$part")
    chmod "${2:-0644}" "$part"
    sync -- "$part"
    mv -fT -- "$part" "$1"
    sync -- "${1%/*}"
}

# point LINK TARGET: a symbolic link changes in one step.
point() {
    ln -sfT -- "$2" "$1.part"
    mv -fT -- "$1.part" "$1"
    sync -- "${1%/*}"
}

# now: UTC, ISO 8601.
now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

# mebibytes BYTES: rounded up.
mebibytes() { printf '%s' "$((($1 + 1048575) / 1048576))"; }

# ------------------------------------------------------------------------------------------------------------- settings
# INTO/plane/.env: NAME=VALUE a line, without quotes; it holds no secret.

# setting NAME [ELSE]: its value, or ELSE.
setting() {
    local line
    if [[ -f $INTO/plane/.env ]]; then
        while IFS= read -r line || [[ -n $line ]]; do
            if [[ $line == "$1="* ]]; then
                printf '%s' "${line#*=}"
                return
            fi
        done <"$INTO/plane/.env"
    fi
    printf '%s' "${2-}"
}

# set_settings NAME=VALUE...: those lines are replaced or added, the others stay, in one step. Equal ones write nothing.
set_settings() {
    local -A given=()
    local line name old='' text=''
    for line in "$@"; do given["${line%%=*}"]="${line#*=}"; done
    if [[ -f $INTO/plane/.env ]]; then
        while IFS= read -r line || [[ -n $line ]]; do
            old+="$line"$'\n'
            name="${line%%=*}"
            if [[ $line == *=* && -n ${given[$name]+yes} ]]; then
                line="$name=${given[$name]}"
                unset "given[$name]"
            fi
            text+="$line"$'\n'
        done <"$INTO/plane/.env"
    fi
    for line in "$@"; do
        name="${line%%=*}"
        if [[ -n ${given[$name]+yes} ]]; then text+="$name=${given[$name]}"$'\n'; fi
    done
    if [[ $text != "$old" ]]; then printf '%s' "$text" | put_file "$INTO/plane/.env"; fi
}

# image_setting KEY: how the plane's settings call an image.
image_setting() {
    local name="${1//-/_}"
    printf 'FROSTBYTE_IMAGE_%s' "${name^^}"
}

# ----------------------------------------------------------------------------------------------------------------- lock

# identity PID: boot, number and start of a process, so that nobody is taken for one that had the same number.
identity() {
    local boot stat
    read -r boot </proc/sys/kernel/random/boot_id
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    read -ra stat <<<"${stat##*) }"
    printf '%s-%s-%s' "$boot" "$1" "${stat[19]}"
}

# alive IDENTITY
alive() {
    local pid="${1%-*}" found
    found="$(identity "${pid##*-}")" || return 1
    [[ $found == "$1" ]]
}

# lock_host: only one of these scripts works on INTO at a time. The lock is the highest of INTO/state/lock.N, a link
# that names a process; one that has ended holds nothing, so a power cut leaves no lock behind. A script that is
# started by the holder (FROSTBYTE_LOCK) works under its lock.
lock_host() {
    local me link number=0 owner=''
    mkdir -p -- "$INTO/state"
    me="$(identity "$$")"
    number="$(newest_lock)"
    if ((number > 0)); then
        owner="$(readlink -- "$INTO/state/lock.$number" || true)"
        if [[ -n $owner ]] && alive "$owner"; then
            if [[ $owner == "${FROSTBYTE_LOCK-}" ]]; then return; fi
            busy
        fi
    fi
    number=$((number + 1))
    ln -sT -- "$me" "$INTO/state/lock.$number" 2>/dev/null || busy
    # Somebody was quicker by more than one turn, and cleared the turn that was just taken.
    if (("$(newest_lock)" != number)); then
        rm -f -- "$INTO/state/lock.$number"
        busy
    fi
    for link in "$INTO"/state/lock.*; do
        if [[ $link != "$INTO/state/lock.$number" ]]; then rm -f -- "$link"; fi
    done
    export FROSTBYTE_LOCK="$me"
}
newest_lock() {
    local link number=0
    for link in "$INTO"/state/lock.*; do
        if [[ -L $link ]] && ((${link##*.} > number)); then number="${link##*.}"; fi
    done
    printf '%s' "$number"
}
busy() {
    stop "$EXIT_BUSY" host_busy "Another script of Frostbyte is at work in $INTO." \
        "Wait until it has ended, then run this again."
}

# -------------------------------------------------------------------------------------------------------------- journal
# INTO/state/NAME.journal: one line a thing that was done: time, word, what belongs to it, apart by tabs. A line counts
# once its end is there and is on the disk.

# journal_open NAME: JOURNAL is its path. A line that was cut off is taken away.
journal_open() {
    local line text=''
    mkdir -p -- "$INTO/state"
    JOURNAL="$INTO/state/$1.journal"
    if [[ ! -f $JOURNAL ]]; then return; fi
    while IFS= read -r line; do text+="$line"$'\n'; done <"$JOURNAL"
    if [[ -n $line ]]; then printf '%s' "$text" | put_file "$JOURNAL"; fi
}

# journal WORD [WHAT...]
journal() {
    local IFS=$'\t'
    if [[ ! -f $JOURNAL ]]; then : | put_file "$JOURNAL"; fi
    printf '%s\t%s\n' "$(now)" "$*" >>"$JOURNAL"
    sync -- "$JOURNAL"
}

# journal_has WORD [WHAT]: whether that was done; WHAT is the first thing behind the word.
journal_has() {
    local at word what rest
    if [[ ! -f $JOURNAL ]]; then return 1; fi
    while IFS=$'\t' read -r at word what rest; do
        if [[ $word == "$1" && ($# -lt 2 || $what == "$2") ]]; then return 0; fi
    done <"$JOURNAL"
    return 1
}

# journal_last: word and what belongs to it of the newest line; nothing where there is none.
journal_last() {
    local at rest last=''
    if [[ ! -f $JOURNAL ]]; then return; fi
    while IFS=$'\t' read -r at rest; do last="$rest"; done <"$JOURNAL"
    printf '%s' "$last"
}

# journal_close: it is kept beside, under the time.
journal_close() {
    if [[ -f $JOURNAL ]]; then
        mv -fT -- "$JOURNAL" "$JOURNAL.$(date -u +%Y%m%dT%H%M%SZ)"
        sync -- "$INTO/state"
    fi
}

# ------------------------------------------------------------------------------------------------------------- manifest

# read_manifest DIR: a bundle's MANIFEST.tsv. Believe it only after check_trust.
read_manifest() {
    local kind a b c d e f g h i j
    BUNDLE_ID='' BUNDLE_VERSION='' BUNDLE_ARCHITECTURE='' BUNDLE_CREATED_AT='' BUNDLE_TENANT='' BUNDLE_SCHEMA=''
    BUNDLE_BASE='' BUNDLE_MEMORY_MB='' BUNDLE_DISK_MB='' BUNDLE_STAND_INS=''
    IMAGE_KEYS=() MODEL_PATHS=() SCRIPT_NAMES=()
    declare -gA IMAGE_NAME=() IMAGE_FILE=() IMAGE_SHA256=() IMAGE_SIZE=() IMAGE_UNPACKED=() IMAGE_ID=() IMAGE_TAG=() \
        IMAGE_PARTIAL=() IMAGE_LAYERS=() MODEL_NAME=() MODEL_SHA256=() MODEL_SIZE=() MODEL_DATE=()
    if [[ ! -f $1/MANIFEST.tsv ]]; then no_manifest "$1"; fi
    while IFS=$'\t' read -r kind a b c d e f g h i j; do
        case "$kind" in
            bundle)
                BUNDLE_ID="$a" BUNDLE_VERSION="$b" BUNDLE_ARCHITECTURE="$c" BUNDLE_CREATED_AT="$d" BUNDLE_TENANT="$e"
                BUNDLE_SCHEMA="$f" BUNDLE_BASE="${g#-}" BUNDLE_MEMORY_MB="$h" BUNDLE_DISK_MB="$i"
                BUNDLE_STAND_INS="${j#-}"
                ;;
            image)
                IMAGE_KEYS+=("$a")
                IMAGE_NAME["$a"]="$b" IMAGE_FILE["$a"]="$c" IMAGE_SHA256["$a"]="$d" IMAGE_SIZE["$a"]="$e"
                IMAGE_UNPACKED["$a"]="$f" IMAGE_ID["$a"]="$g" IMAGE_TAG["$a"]="$h" IMAGE_PARTIAL["$a"]="$i"
                IMAGE_LAYERS["$a"]="$j"
                ;;
            model)
                MODEL_PATHS+=("$b")
                MODEL_NAME["$b"]="$a" MODEL_SHA256["$b"]="$c" MODEL_SIZE["$b"]="$d" MODEL_DATE["$b"]="${e#-}"
                ;;
            script) SCRIPT_NAMES+=("$a") ;;
            *) no_manifest "$1" ;;
        esac
    done <"$1/MANIFEST.tsv"
    if [[ -z $BUNDLE_ID || ${#IMAGE_KEYS[@]} == 0 ]]; then no_manifest "$1"; fi
}
no_manifest() {
    stop "$EXIT_TRUST" bundle_manifest "MANIFEST.tsv is missing in $1, or it is of a kind that these scripts do not know." \
        "Name the folder of a bundle, and use the scripts that came with it."
}

# ---------------------------------------------------------------------------------------------------------------- trust

# check_signature DIR SIGNERS: SHA256SUMS is signed by a key that is believed. SIGNERS must lie outside the bundle: a
# list that travels with what it is to prove proves nothing.
check_signature() {
    local signers inside said
    inside="$(realpath -- "$1")"
    signers="$(realpath -e -- "$2" 2>/dev/null)" || signers=''
    if [[ ! -f $signers || ! -r $signers || ! -s $signers ]]; then
        stop "$EXIT_TRUST" signers_missing "There is no readable file of allowed signers at $2." \
            "Name the file that you were given apart from the bundle: --signers FILE."
    fi
    if [[ $signers == "$inside"/* ]]; then
        stop "$EXIT_TRUST" signers_inside "The file of allowed signers lies inside the bundle, so it proves nothing." \
            "Name the file that you were given apart from the bundle. If you have none, ask for it by another way."
    fi
    [[ -f $1/SHA256SUMS && ! -L $1/SHA256SUMS && -f $1/SHA256SUMS.sig && ! -L $1/SHA256SUMS.sig ]] ||
        stop "$EXIT_TRUST" signature_missing "The bundle has no SHA256SUMS with a signature." \
            "Name the bundle's own folder, or copy the bundle from its disk anew."
    said="$(ssh-keygen -Y verify -f "$signers" -I frostbyte -n frostbyte-bundle -s "$1/SHA256SUMS.sig" \
        <"$1/SHA256SUMS" 2>&1)" ||
        stop "$EXIT_TRUST" signature_bad "The bundle's signature is not one of a key that you believe (${said%%$'\n'*})." \
            "Use nothing of this bundle. Compare the key's fingerprint with the one you were told, and get the bundle anew."
}

# read_sums DIR: SUM_PATHS, and SUM_OF by path. Only plain relative paths are known, each once.
read_sums() {
    local line path
    declare -gA SUM_OF=()
    SUM_PATHS=()
    while IFS= read -r line || [[ -n $line ]]; do
        path="${line:66}"
        if [[ ! $line =~ ^[0-9a-f]{64}'  '[A-Za-z0-9._+@=,/-]+$ || /$path/ == *//* || /$path/ == */./* ||
            /$path/ == */../* || -n ${SUM_OF[$path]+yes} ]]; then
            stop "$EXIT_TRUST" sums_unreadable "SHA256SUMS has a line that is none." \
                "Use nothing of this bundle. Copy it from its disk anew."
        fi
        SUM_PATHS+=("$path")
        SUM_OF["$path"]="${line:0:64}"
    done <"$1/SHA256SUMS"
}

# check_listing DIR: nothing lies there that the sums do not list, and nothing but files and folders.
check_listing() {
    local path more=()
    while IFS= read -rd '' path; do
        if [[ -L $1/$path || (! -d $1/$path && (! -f $1/$path || -z ${SUM_OF[$path]+yes})) ]]; then more+=("$path"); fi
    done < <(
        cd -- "$1" || exit
        shopt -s globstar dotglob nullglob
        for path in **; do
            case "$path" in
                SHA256SUMS | SHA256SUMS.sig) if [[ -L $path ]]; then printf '%s\0' "$path"; fi ;;
                *) printf '%s\0' "$path" ;;
            esac
        done
    )
    if ((${#more[@]} > 0)); then
        stop "$EXIT_TRUST" files_unlisted "${#more[@]} files lie in the bundle that its sums do not list, first: ${more[0]@Q}." \
            "Use nothing of this bundle. Copy it from its disk anew; do not write into its folder."
    fi
}

# check_sums DIR [PATH...]: those files are what the sums say; all of them without a path. One job for each processor.
# Call read_sums before.
check_sums() {
    local dir="$1" jobs job least path size bad='' fd found
    local -A sizes=()
    local -a weight=() list=() fds=()
    shift
    if (($# == 0)); then set -- "${SUM_PATHS[@]}"; fi
    jobs="$(nproc)"
    for ((job = 0; job < jobs; job++)); do weight[job]=0 list[job]=''; done
    while read -r size path; do sizes["$path"]="$size"; done < <(cd -- "$dir" && stat -c '%s %n' -- "$@" 2>/dev/null)
    # The largest first, each to the job that has least to do.
    while read -r size path; do
        least=0
        for ((job = 1; job < jobs; job++)); do if ((weight[job] < weight[least])); then least=$job; fi; done
        weight[least]=$((weight[least] + size + 4096))
        list[least]+="${SUM_OF[$path]}  $path"$'\n'
    done < <(for path in "$@"; do printf '%s %s\n' "${sizes[$path]:-0}" "$path"; done | sort -rn)
    for ((job = 0; job < jobs; job++)); do
        if [[ -z ${list[job]} ]]; then continue; fi
        exec {fd}< <(
            cd -- "$dir" && printf '%s' "${list[job]}" | sha256sum --check --strict --quiet - 2>/dev/null && printf 'well'
        )
        fds+=("$fd")
    done
    for fd in "${fds[@]}"; do
        found="$(cat <&"$fd")"
        exec {fd}<&-
        if [[ $found != well ]]; then bad="${bad:-${found%%$'\n'*}}" && bad="${bad:-it cannot be read}"; fi
    done
    if [[ -n $bad ]]; then
        stop "$EXIT_TRUST" sums_bad "A file of the bundle is not what was signed ($bad)." \
            "Use nothing of this bundle. Copy it from its disk anew."
    fi
}

# check_trust DIR SIGNERS: signature, listing and every sum, before anything of the bundle is loaded or run.
check_trust() {
    check_signature "$1" "$2"
    read_sums "$1"
    check_listing "$1"
    check_sums "$1"
}

# --------------------------------------------------------------------------------------------------------------- engine

# engine ARGUMENTS...: docker. Where it refuses, the script stops with its own words.
engine() {
    local said
    {
        said="$(docker "$@" 2>&1 >&7)" ||
            stop "$EXIT_ENGINE" engine_refused "docker ${1-} refused (${said//$'\n'/; })." \
                "Look at what Docker says, put it right, and run the same command again: it goes on where it stopped."
    } 7>&1
}

# compose ARGUMENTS...: the plane's project, from the files that were signed. COMPOSE_BUNDLE is another bundle's folder.
compose() {
    docker compose --project-directory "$INTO/plane" --env-file "$INTO/plane/.env" \
        --file "${COMPOSE_BUNDLE:-$INTO/bundle}/docker-compose.yml" "$@"
}

# ours IMAGE [OPTION OF docker run...] -- COMMAND...: a command of ours, alone: no network, no rights, nothing kept but
# what OPTIONs mount. IMAGE is an id. One at a time by its name: what a killed script left running is ended first.
ours() {
    local image="$1" options=() name="frostbyte-${BUNDLE_TENANT}-task" program
    shift
    while [[ $1 != -- ]]; do
        options+=("$1")
        shift
    done
    program="$2"
    shift 2
    docker rm --force "$name" >/dev/null 2>&1 || true
    docker run --rm --name "$name" --pull never --network none --read-only --cap-drop ALL \
        --security-opt no-new-privileges --tmpfs /tmp:size=64m --memory 1g --pids-limit 128 --log-driver none \
        --entrypoint "$program" "${options[@]}" "$image" "$@"
}

# place_models DIR [API_IMAGE]: models and signatures of a bundle into the plane's volumes, each whole and checked or not
# at all; what is there and right stays. read_manifest comes before.
place_models() {
    local volume="frostbyte-${BUNDLE_TENANT}"
    ours "${2:-$(setting FROSTBYTE_IMAGE_API)}" --user 0:0 --cap-add DAC_OVERRIDE \
        --mount "type=bind,source=$1,target=/bundle,readonly" \
        --mount "type=volume,source=${volume}_models,target=/models" \
        --mount "type=volume,source=${volume}_clamavdata,target=/clamav" \
        -- frostbyte bundle models /bundle --models /models --clamav /clamav ||
        stop "$EXIT_ENGINE" models_refused "Models and signatures could not be put in their place." \
            "Look at what is said above, put it right, and run the same command again: it goes on where it stopped."
}

# known_images [KEY...]: LOADED by key is the id by which this engine knows the manifest's image; '' where it has it not.
# Engines with containerd's store call it otherwise than the manifest: there it is the same if it has the tag, which
# names the manifest's id, and its layers and its architecture are those of the manifest.
known_images() {
    local key id architecture layers tags references=()
    declare -gA LOADED
    if (($# == 0)); then set -- "${IMAGE_KEYS[@]}"; fi
    for key in "$@"; do
        LOADED["$key"]=''
        references+=("${IMAGE_ID[$key]}" "${IMAGE_TAG[$key]}")
    done
    while read -r id architecture layers tags; do
        for key in "$@"; do
            if [[ $id == "${IMAGE_ID[$key]}" ]]; then
                LOADED["$key"]="$id"
            elif [[ -z ${LOADED[$key]} && " $tags " == *" ${IMAGE_TAG[$key]} "* && $layers == "${IMAGE_LAYERS[$key]}," &&
                $architecture == "$BUNDLE_ARCHITECTURE" ]]; then
                LOADED["$key"]="$id"
            fi
        done
    done < <(docker image inspect --format \
        '{{.Id}} {{.Architecture}} {{range .RootFS.Layers}}{{.}},{{end}} {{range .RepoTags}}{{.}} {{end}}' "${references[@]}" 2>/dev/null)
}

# image_id KEY: LOADED_ID, the same for one.
image_id() {
    known_images "$1"
    LOADED_ID="${LOADED[$1]}"
}

# load_over DIR KEY: a delta carries only the layers that its base lacks. An engine with its own store finds the others
# among those that it has; one with containerd's wants all of them, so they are taken out of the image that the plane
# runs (INTO/plane/.env). Our own command puts the archive together, in the version that runs.
load_over() {
    local running said
    assembled "$1" "$2" --carried </dev/null 2>/dev/null | docker load --quiet >/dev/null 2>&1 || true
    image_id "$2"
    if [[ -n $LOADED_ID ]]; then return; fi
    running="$(setting "$(image_setting "$2")")"
    said="$({ docker save "$running" | assembled "$1" "$2" | docker load --quiet; } 2>&1 >/dev/null)" ||
        stop "$EXIT_ENGINE" image_unfit "The image $2 cannot be put together from the one that runs (${said//$'\n'/; })." \
            "Run the same command again. If it stops here again, bring the new bundle whole: it needs no image that is here."
}
assembled() { # DIR KEY [OPTION]
    ours "$(setting FROSTBYTE_IMAGE_API)" --interactive --user "$(id -u):$(id -g)" \
        --mount "type=bind,source=$1,target=/bundle,readonly" -- frostbyte bundle assemble /bundle "${@:2}"
}

# load_image DIR KEY: from the bundle's file; LOADED_ID afterwards. The engine checks every layer as it unpacks it.
load_image() {
    if [[ ${IMAGE_PARTIAL[$2]} == yes ]]; then
        load_over "$1" "$2"
    else
        engine load --quiet --input "$1/${IMAGE_FILE[$2]}" >/dev/null
    fi
    image_id "$2"
    if [[ -z $LOADED_ID ]]; then
        stop "$EXIT_TRUST" image_differs "After loading, Docker has no image $2 with the layers that were signed." \
            "Do not go on. Check the bundle again (its README.md says how), and whether somebody else uses this Docker."
    fi
}
