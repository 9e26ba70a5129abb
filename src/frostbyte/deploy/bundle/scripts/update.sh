#!/usr/bin/env bash
# Brings the bundle that it lies in over the one that runs. It believes only the keys that were pinned at install, and
# ends with the new version whole or the old one whole with its data, also when the power is cut at any moment: run it
# again then, or the one in INTO/bundle/scripts if the new bundle's disk is not at hand.
#
#   check, load     nothing that runs is touched
#   begin           from here on INTO/state/update.journal says where it is
#   close           the plane answers questions and takes nothing
#   drain, freeze   what was begun ends; the log is signed to its end and stands still
#   keep            a copy of the database beside it, the models of before beside those of now
#   switch, start   images, settings, bundle, models, schema: together
#   verify          each part is tried, and all that the plane held is compared
#   forward         from here on the only way is forward: the plane is opened, what was kept is given up
#
# What fails before `forward` leads back. Whatever is done is done again without harm, so a cut needs no finer marks.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=host.sh
. "$BUNDLE/scripts/host.sh"
# shellcheck source=running.sh
. "$BUNDLE/scripts/running.sh"
# shellcheck source=bringing.sh
. "$BUNDLE/scripts/bringing.sh"
shopt -s extglob

# A scanner reads its signatures for up to three minutes; whoever waits longer waits in vain, and a plane stands still.
readonly START_SECONDS=420
# Those that work with the database; the others stay up where the new bundle has the same.
readonly OURS=(intake-gateway serving celery-worker)

usage() {
    printf '%s\n' \
        'Usage: scripts/update.sh [--into DIR] [--drain SECONDS] [--allow-downgrade] [--dry-run]' \
        '' \
        '  --into DIR         where the plane is kept (/opt/frostbyte)' \
        '  --drain SECONDS    how long work that was begun may take to end; the rest is done again later (300)' \
        '  --allow-downgrade  also bring an older bundle, if the database is of its schema' \
        '  --dry-run          look and say what would be done; change nothing'
}
wrong_usage() {
    usage >&2
    stop "$EXIT_USAGE" usage "$1" "Write it as shown above."
}

read_command_line() {
    DRAIN=300 DOWNGRADE='' DRY='' FORWARD=''
    while (($# > 0)); do
        case "$1" in
            --help | -h)
                usage
                exit 0
                ;;
            --allow-downgrade) DOWNGRADE=yes ;;
            --dry-run) DRY=yes ;;
            --forward) FORWARD=yes ;; # this script starts itself so, that a failure anywhere leads back
            --into | --drain)
                if [[ -z ${2-} ]]; then wrong_usage "$1 needs a value."; fi
                if [[ $1 == --into ]]; then INTO="$2"; else DRAIN="$2"; fi
                shift
                ;;
            *) wrong_usage "There is no option $1." ;;
        esac
        shift
    done
    if [[ ! $DRAIN =~ ^[0-9]{1,5}$ ]]; then wrong_usage "Seconds are a number."; fi
    if [[ -n $FORWARD && -z ${FROSTBYTE_LOCK-} ]]; then wrong_usage "There is no option --forward."; fi
    INTO="$(realpath -m -- "$INTO")"
}

# --------------------------------------------------------------------------------------------------------- what there is

check_installed() {
    if [[ ! -L $INTO/bundle || ! -f $INTO/trust/signers ]]; then
        stop "$EXIT_HOST" not_installed "There is no installed plane in $INTO." \
            "Name its folder: --into DIR. Where there is none yet, use install.sh."
    fi
}

# read_old: OLD_* are what runs.
read_old() {
    local key path
    read_manifest "$INTO/bundle"
    OLD_ID="$BUNDLE_ID" OLD_VERSION="$BUNDLE_VERSION" OLD_SCHEMA="$BUNDLE_SCHEMA" OLD_TENANT="$BUNDLE_TENANT"
    OLD_CREATED_AT="$BUNDLE_CREATED_AT"
    declare -gA OLD_IMAGE=() OLD_MODEL=() OLD_SUM=()
    for key in "${IMAGE_KEYS[@]}"; do OLD_IMAGE["$key"]="${IMAGE_ID[$key]}"; done
    for path in "${MODEL_PATHS[@]}"; do OLD_MODEL["$path"]="${MODEL_SHA256[$path]}"; done
    read_sums "$INTO/bundle"
    for path in "${SUM_PATHS[@]}"; do OLD_SUM["$path"]="${SUM_OF[$path]}"; done
}

# kind: KIND is what differs: `all`, `models`, `signatures`, or `papers` that no service reads. Images and models are
# told apart by what the manifest says of them, as a bundle may carry only what has changed.
kind() {
    local path key weights='' signatures=''
    KIND=all
    if [[ $BUNDLE_SCHEMA != "$OLD_SCHEMA" || $BUNDLE_VERSION != "$OLD_VERSION" || ${#IMAGE_KEYS[@]} != "${#OLD_IMAGE[@]}" ]]; then
        return
    fi
    for key in "${IMAGE_KEYS[@]}"; do
        if [[ ${OLD_IMAGE[$key]-} != "${IMAGE_ID[$key]}" ]]; then return; fi
    done
    for path in "${MODEL_PATHS[@]}" "${!OLD_MODEL[@]}"; do
        if [[ ${OLD_MODEL[$path]-} == "${MODEL_SHA256[$path]-}" ]]; then continue; fi
        if [[ $path == models/clamav/* ]]; then signatures=yes; else weights=yes; fi
    done
    for path in "${SUM_PATHS[@]}" "${!OLD_SUM[@]}"; do
        case "$path" in
            images/* | models/* | scripts/* | licences/* | MANIFEST.* | README.md | sbom.cdx.json) continue ;;
            docker-compose.yml | .env.example) if [[ -n $weights ]]; then continue; fi ;; # it names the weights' sum
        esac
        if [[ ${OLD_SUM[$path]-} != "${SUM_OF[$path]-}" ]]; then return; fi
    done
    if [[ -n $weights ]]; then KIND=models; elif [[ -n $signatures ]]; then KIND=signatures; else KIND=papers; fi
}

# older: whether the bundle is older than what runs; of one version, by when it was made.
older() {
    local mine theirs number
    if [[ $BUNDLE_VERSION == "$OLD_VERSION" ]]; then
        [[ $BUNDLE_CREATED_AT < $OLD_CREATED_AT ]]
        return
    fi
    IFS=. read -ra mine <<<"${BUNDLE_VERSION%%[!0-9.]*}"
    IFS=. read -ra theirs <<<"${OLD_VERSION%%[!0-9.]*}"
    for number in 0 1 2; do
        if ((10#0${mine[number]-} != 10#0${theirs[number]-})); then
            ((10#0${mine[number]-} < 10#0${theirs[number]-}))
            return
        fi
    done
    # 1.0rc1 comes before 1.0.
    if [[ ${BUNDLE_VERSION//[0-9.]/} != "${OLD_VERSION//[0-9.]/}" ]]; then
        if [[ -z ${BUNDLE_VERSION//[0-9.]/} ]]; then return 1; fi
        if [[ -z ${OLD_VERSION//[0-9.]/} ]]; then return 0; fi
    fi
    [[ $(printf '%s\n%s\n' "$BUNDLE_VERSION" "$OLD_VERSION" | sort -V | head -n 1) == "$BUNDLE_VERSION" ]]
}

# check_fits: whether this bundle may come over the one that runs.
check_fits() {
    local ill
    if [[ $BUNDLE_TENANT != "$OLD_TENANT" ]]; then
        stop "$EXIT_HOST" tenant_other "This bundle is for the tenant $BUNDLE_TENANT, and $INTO is the plane of $OLD_TENANT." \
            "Bring the bundle of $OLD_TENANT, or name another folder: --into DIR."
    fi
    if [[ -n $BUNDLE_BASE && $BUNDLE_BASE != "$OLD_ID" ]]; then
        stop "$EXIT_HOST" base_other "This bundle holds only what has changed since $BUNDLE_BASE, and $OLD_ID runs here." \
            "Bring the one that was made for $OLD_ID, or a whole bundle."
    fi
    if older; then
        if [[ -z $DOWNGRADE ]]; then
            stop "$EXIT_HOST" bundle_older "This bundle ($BUNDLE_VERSION, made at $BUNDLE_CREATED_AT) is older than what runs ($OLD_VERSION, $OLD_CREATED_AT)." \
                "Bring a newer one. If the older one is wanted, say so: --allow-downgrade."
        fi
    fi
    if ((BUNDLE_SCHEMA < OLD_SCHEMA)); then
        stop "$EXIT_HOST" schema_older "The database is of schema $OLD_SCHEMA, and this bundle knows it up to $BUNDLE_SCHEMA: it could not read it." \
            "Stay with the newer version, or install the older one elsewhere and import an export that it can read."
    fi
    ill="$(unwell)"
    if [[ -n $ill ]]; then
        stop "$EXIT_FAILED" service_unwell "The plane that runs is not well: ${ill//$'\n'/; }." \
            "Mend it first (support.sh collects what is known): only a plane that is well can be led back to."
    fi
}

# A copy of the database needs room as well.
check_room() {
    local bytes=0 need
    host_engine
    host_clock
    host_disk
    if [[ $KIND == all ]]; then
        bytes="$(as_administrator plane snapshot size "$BUNDLE_TENANT")" ||
            stop "$EXIT_ENGINE" database_silent "The database does not say how large it is." \
                "Look at what is said above; see that the plane is well, and run this again."
        need=$((DISK_NEEDED + $(mebibytes "${bytes//[!0-9]/}")))
        if ((DISK_FREE < need)); then
            lacks disk_short "$DISK_FREE MB are free in $ENGINE_ROOT, and this update needs $need MB: the database is copied before it is changed." \
                "Make room there, or move Docker's folder to a larger disk."
        fi
    fi
    if ((LACKING > 0)); then
        stop "$EXIT_HOST" host_lacks "This host is not ready: $LACKING of what was looked at is said above. Nothing was changed." \
            "Put it right and run this again."
    fi
}

# ---------------------------------------------------------------------------------------------------------- in the plane

as_administrator() { compose run --rm --no-deps -T storage "$@"; }

# models_of_before VERB: by the image that runs or ran, which is there whatever happens.
models_of_before() {
    ours "$OLD_API" --user 0:0 --cap-add DAC_OVERRIDE \
        --mount "type=volume,source=$(project)_models,target=/models" \
        --mount "type=volume,source=$(project)_clamavdata,target=/clamav" \
        -- frostbyte plane models "$1" /models /clamav --mark "$MARK"
}

# read_begun: what the journal says of the update that was begun.
read_begun() {
    local word old_api
    while IFS=$'\t' read -r _ word NEW_ID OLD_ID KIND MARK old_api LABEL; do
        if [[ $word == begin ]]; then
            OLD_API="$old_api"
            return
        fi
    done <"$JOURNAL"
    stop "$EXIT_FAILED" journal_unreadable "$JOURNAL does not say what was begun." "Keep the folder as it is, and run support.sh."
}

# add_settings DIR: what a newer bundle wants to have set, and an older one did not know, as its example says.
add_settings() {
    local line missing=()
    while IFS= read -r line; do
        if [[ $line == FROSTBYTE_*=* && -z $(setting "${line%%=*}") ]]; then missing+=("$line"); fi
    done <"$1/.env.example"
    if ((${#missing[@]} > 0)); then set_settings "${missing[@]}"; fi
}

# put_in_use ID: its files are those of the project from now on.
put_in_use() { point "$INTO/bundle" "bundles/$1"; }

# renew: services that must look anew at models or signatures, whose containers stay the same.
renew() {
    case "$KIND" in
        signatures | models)
            if ! compose exec -T clamav clamdscan --config-file=/run/secrets/clamd.conf --reload >/dev/null 2>&1; then
                compose up --detach --no-deps --force-recreate clamav
            fi
            if [[ $KIND == models ]]; then compose up --detach --no-deps --force-recreate nomic-embed; fi
            ;;
    esac
}

# ---------------------------------------------------------------------------------------------------------------- there

# forward: in a process of its own; whatever fails in it ends it, and the one that started it goes back.
forward() {
    local settings
    read_begun
    read_manifest "$INTO/bundles/$NEW_ID"
    step "Closing the plane: questions are answered, nothing is taken"
    inside plane close
    if [[ $KIND == all || $KIND == models ]]; then
        inside plane drain --seconds "$DRAIN" || say "  What is still under way is cut off and done again afterwards."
    fi
    if [[ $KIND == all ]]; then
        step "Freezing the plane, and copying its database"
        inside plane freeze --seconds 120
        inside plane status --json | put_file "$INTO/state/update.before"
        compose stop "${OURS[@]}"
        as_administrator plane snapshot take "$BUNDLE_TENANT" --mark "$MARK"
    fi
    models_of_before keep
    step "Switching to $NEW_ID"
    place_models "$BUNDLE" "$OLD_API"
    mapfile -t settings <"$INTO/state/update.images"
    set_settings "${settings[@]}"
    if [[ $KIND == all ]]; then
        add_settings "$INTO/bundles/$NEW_ID"
        write_secrets "$(setting FROSTBYTE_IMAGE_API)"
    fi
    put_in_use "$NEW_ID"
    SERVICES="$(compose config --services)" ||
        stop "$EXIT_FAILED" project_unreadable "Compose cannot read the new bundle's project with this host's settings." \
            "Look at what it says; bring a newer Compose, or another bundle."
    renew
    # Other signatures, other papers: the project is the same, and so is every container.
    if [[ $KIND == all || $KIND == models || -n $(unwell) ]]; then start_plane "$START_SECONDS"; fi
    step "Verifying, without changing anything"
    case "$KIND" in
        all) beside plane verify --expect <"$INTO/state/update.before" ;;
        models) beside plane verify --new-model ;;
        *) beside plane verify ;;
    esac
}

# finish [again]: the only way is forward. Done again, it changes nothing; after a cut the plane may have to be started.
finish() {
    read_begun
    read_manifest "$INTO/bundles/$NEW_ID"
    if [[ ${1-} == again && -n $(unwell) ]]; then start_plane "$START_SECONDS"; fi
    inside plane open --updated-to "$LABEL"
    if [[ $KIND == all ]]; then as_administrator plane snapshot drop "$BUNDLE_TENANT" --mark "$MARK"; fi
    models_of_before drop
    clear_older
    forget
    step "Frostbyte $BUNDLE_VERSION runs: $NEW_ID"
    if [[ $KIND == models ]]; then
        say "  The model is another one. Until the index is made anew for it, search goes by words alone:"
        say "    docker exec $(project)-intake-gateway-1 frostbyte index rebuild"
    fi
    say "  Now prove it: $INTO/bundle/scripts/verify.sh --into $INTO"
}

# clear_older: of the bundles that were brought here, the one that runs and the one before it stay. Only where all of it
# was exchanged: a container sees the files of the bundle that it was started with until it is started anew, and where
# signatures or models alone came, none of those that look at the tenant's configuration was.
clear_older() {
    local folder
    if [[ $KIND != all ]]; then return; fi
    for folder in "$INTO"/bundles/*; do
        case "${folder##*/}" in
            "$NEW_ID" | "$OLD_ID") ;;
            *) rm -rf -- "$folder" ;;
        esac
    done
}

# ----------------------------------------------------------------------------------------------------------------- back

# back: the old version with its data. Done again, it changes nothing; a plane that was opened is never taken back, which
# the database sees to as well.
back() {
    local state
    read_begun
    step "Going back to $OLD_ID"
    read_manifest "$INTO/bundles/$OLD_ID"
    # First what Compose reads: the new project may be one that it cannot read.
    put_file "$INTO/plane/.env" <"$INTO/state/update.env"
    put_in_use "$OLD_ID"
    if [[ $KIND == all ]]; then compose stop "${OURS[@]}"; fi
    models_of_before restore
    if [[ $KIND == all ]]; then
        write_secrets "$OLD_API"
        compose up --detach --wait --no-deps postgres
        as_administrator plane snapshot restore "$BUNDLE_TENANT" --mark "$MARK"
    fi
    renew
    start_plane "$START_SECONDS"
    if [[ $KIND == all && -s $INTO/state/update.before ]]; then
        state="$(inside plane status --json)" # apart: within [[ ]] one that fails would count as open
        if [[ $state == *'"upkeep": "frozen"'* ]]; then beside plane verify --expect <"$INTO/state/update.before"; fi
    fi
    inside plane open
    forget
}

# forget: nothing is left to be finished.
forget() {
    journal_close
    rm -f -- "$INTO/state/update.env" "$INTO/state/update.before" "$INTO/state/update.images"
}

# end_begun: an update that a cut left.
end_begun() {
    if [[ ! -f $JOURNAL ]]; then return; fi
    if ! journal_has begin; then
        forget
    elif journal_has forward; then
        step "Finishing an update that was cut off"
        finish again
    else
        step "An update was cut off before its end"
        back
    fi
}

# ----------------------------------------------------------------------------------------------------------------- main

# label: what the audit log says that the plane became.
label() {
    case "$KIND" in
        all) printf '%s' "$BUNDLE_VERSION" ;;
        *) printf '%s:%s' "$KIND" "$BUNDLE_ID" ;;
    esac
}

begin() {
    local mark
    mark="$(printf '%s %s' "$BUNDLE_ID" "$OLD_ID" | sha256sum)"
    put_file "$INTO/state/update.env" <"$INTO/plane/.env"
    printf '%s\n' "${NEW_SETTINGS[@]}" | put_file "$INTO/state/update.images"
    rm -f -- "$INTO/state/update.before"
    journal begin "$BUNDLE_ID" "$OLD_ID" "$KIND" "${mark:0:12}" "$(setting FROSTBYTE_IMAGE_API)" "$(label)"
}

update() {
    local said
    keep_bundle "$INTO/trust/signers"
    bring_images
    begin
    trap ':' INT TERM HUP # the child hears it as well, ends, and this goes back
    if FROSTBYTE_LOCK="$FROSTBYTE_LOCK" bash "$BUNDLE/scripts/update.sh" --into "$INTO" --drain "$DRAIN" --forward; then
        trap '' INT TERM HUP
        journal forward
        finish
        return
    fi
    trap '' INT TERM HUP
    said="The update to $BUNDLE_ID failed; $OLD_ID runs as before, with all its data."
    back
    stop "$EXIT_FAILED" update_undone "$said" \
        "Look at what is said above, put it right, and run this again. support.sh collects what is known."
}

main() {
    read_command_line "$@"
    check_installed
    JOURNAL="$INTO/state/update.journal"
    if [[ -n $FORWARD ]]; then
        lock_host
        forward
        return
    fi
    if [[ -n $DRY && -f $JOURNAL ]]; then
        say "An update was cut off: run this without --dry-run, and it is ended first."
        return
    fi
    if [[ -z $DRY ]]; then
        lock_host
        journal_open update
        end_begun
    fi
    read_old
    if [[ $BUNDLE == "$INTO/bundles/"* ]]; then
        say "This script belongs to a bundle that was brought here already, so there is nothing more to do."
        say "To update, run the one in the new bundle's folder."
        return
    fi
    step "Checking the bundle against the keys that were believed at install"
    check_trust "$BUNDLE" "$INTO/trust/signers"
    read_manifest "$BUNDLE"
    if [[ $BUNDLE_ID == "$OLD_ID" ]]; then
        say "  $BUNDLE_ID runs already; nothing was changed."
        return
    fi
    check_fits
    kind
    check_room
    say "  $BUNDLE_ID comes over $OLD_ID: ${KIND/all/all of it}"
    if [[ -n $DRY ]]; then
        say "Nothing was changed."
        return
    fi
    update
}

main "$@"
