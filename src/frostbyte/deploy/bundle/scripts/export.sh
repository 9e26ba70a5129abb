#!/usr/bin/env bash
# Takes everything of the plane away as one archive: log, database, objects as they are sealed, configuration, and the
# tenant's keys for the recipient that you name. The plane goes on working. What was interrupted is never left under the
# name of a whole one.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=running.sh
. "$BUNDLE/scripts/running.sh"
# shellcheck source=exports.sh
. "$BUNDLE/scripts/exports.sh"

readonly EXIT_PROBLEMS=3 # of our own commands: it finished, and not all is well

usage() {
    printf '%s\n' \
        'Usage: scripts/export.sh --recipient AGE [--into DIR] [--out DIR]' \
        '' \
        '  --recipient AGE  public key (age1...) of whoever may open the export: its identity stays elsewhere' \
        '  --into DIR       where the plane is kept (/opt/frostbyte)' \
        '  --out DIR        where the archive goes, best a disk that leaves this host (INTO/exports: a day at most)'
}
wrong_usage() {
    usage >&2
    stop "$EXIT_USAGE" usage "$1" "Write it as shown above."
}

read_command_line() {
    RECIPIENT='' OUT=''
    while (($# > 0)); do
        case "$1" in
            --help | -h)
                usage
                exit 0
                ;;
            --recipient | --into | --out)
                if [[ -z ${2-} ]]; then wrong_usage "$1 needs a value."; fi
                case "$1" in
                    --recipient) RECIPIENT="$2" ;;
                    --into) INTO="$2" ;;
                    --out) OUT="$2" ;;
                esac
                shift
                ;;
            *) wrong_usage "There is no option $1." ;;
        esac
        shift
    done
    if [[ ! $RECIPIENT =~ ^age1[0-9a-z]{58}$ ]]; then
        wrong_usage "Say who may open the export: --recipient with a public key that age-keygen has made on another machine."
    fi
    INTO="$(realpath -m -- "$INTO")"
    OUT="$(realpath -m -- "${OUT:-$INTO/exports}")"
}

check_plane() {
    local service state status well=''
    if [[ ! -L $INTO/bundle ]]; then
        stop "$EXIT_HOST" not_installed "There is no plane in $INTO." "Name its folder: --into DIR."
    fi
    if [[ -f $INTO/state/update.journal ]]; then
        stop "$EXIT_HOST" update_unfinished "An update of $INTO was not finished." "Run update.sh again: it ends it."
    fi
    while IFS=$'\t' read -r service state status; do
        if [[ $service == intake-gateway && "$state $status" == running*"(healthy)"* ]]; then well=yes; fi
    done < <(containers)
    if [[ -z $well ]]; then
        stop "$EXIT_FAILED" gateway_unwell "The plane's gateway does not run, or is not well: nothing was exported." \
            "Start the plane: docker start the containers of $(project), or run install.sh again. support.sh says more."
    fi
}

check_out() {
    if [[ $OUT == "$INTO/exports" && ! -d $OUT ]]; then mkdir -m 0700 -- "$OUT"; fi
    if [[ ! -d $OUT || ! -w $OUT ]]; then
        stop "$EXIT_HOST" out_unwritable "There is no folder $OUT that can be written into." \
            "Mount the disk that the export is to leave by, and name a folder on it: --out DIR."
    fi
}

# room: bytes that are free where the archive goes.
room() {
    local free
    free="$(df --output=avail -B1 -- "$OUT")"
    printf '%s' "${free##*[!0-9]}"
}

failed() { # STATUS
    rm -f -- "$PART"
    if (($(room) < 16777216)); then
        stop "$EXIT_HOST" out_full "The disk of $OUT is full: the export was taken away again." \
            "Name a folder on a larger disk: --out DIR."
    fi
    stop "$EXIT_FAILED" export_failed "The export was not finished ($1), and what there was of it was taken away." \
        "Look at what is said above, put it right, and run this again."
}

write_archive() {
    local actor status=0
    actor="${SUDO_USER:-$(id -un)}"
    step "Exporting the plane of $BUNDLE_TENANT"
    rm -f -- "$OUT/frostbyte-export-$BUNDLE_TENANT"-*.tar.part # an earlier one that was interrupted; the lock is ours
    PART="$OUT/frostbyte-export-$BUNDLE_TENANT-$(date -u +%Y%m%dT%H%M%SZ).tar.part"
    (umask 077 && : >"$PART")
    inside plane export --recipient "$RECIPIENT" --actor "operator:${actor//[!A-Za-z0-9._-]/_}" --output - \
        >"$PART" || status=$?
    LACKS=''
    if ((status == EXIT_PROBLEMS)); then
        LACKS=yes
    elif ((status != 0)); then
        failed "$status"
    fi
    sync -- "$PART" || failed "it could not be put on the disk"
}

# It is read back from its disk and judged before it is given the name of a whole one.
keep_archive() {
    local report id file
    step "Reading it back"
    report="$(inside plane export-check - --own <"$PART")" || failed "what was written is not whole"
    [[ $report =~ Export\ ([0-9a-f-]{36})\  ]] || failed "it does not say which export it is"
    id="${BASH_REMATCH[1]}"
    file="${PART%.tar.part}-$id.tar"
    printf '%s\n' "$report" | put_file "$file.txt" 0600
    mv -fT -- "$PART" "$file"
    sync -- "$OUT"
    say "$report"
    step "Whole: $file"
    if [[ $OUT == "$INTO/exports" ]]; then
        say "  Take it away: it is removed within a day, or as soon as a document in it is erased, when a script runs here."
    fi
    say "  $file.txt has the lines above. Keep the checkpoint where neither this host nor the archive is."
    if [[ -n $LACKS ]]; then
        stop "$EXIT_FAILED" objects_missing "The export is whole, but the plane lacks objects that its documents need." \
            "Look for them in an older export, or erase those documents; end.json in the archive names them."
    fi
}

main() {
    read_command_line "$@"
    if [[ -L $INTO/bundle ]]; then read_manifest "$INTO/bundle"; fi
    check_plane
    lock_host
    sweep_exports
    check_out
    write_archive
    keep_archive
}

main "$@"
