# shellcheck shell=bash
# Beginning a plane with an export of another one. Sourced by install.sh after running.sh.

# check_restore: the files that were named can be read, and a restore that was begun is not forgotten.
check_restore() {
    local file
    if [[ -z $RESTORE ]]; then
        if [[ -f $JOURNAL ]] && journal_has restoring && ! journal_has restored; then
            stop "$EXIT_HOST" restore_unfinished "The plane in $INTO was begun with an export that is not in it yet." \
                "Run this again with the same --restore and --identity: it goes on."
        fi
        return
    fi
    for file in "$RESTORE" "$IDENTITY" ${LOG_KEY:+"$LOG_KEY"} ${ERASURES:+"$ERASURES"}; do
        if [[ ! -f $file || ! -r $file ]]; then
            stop "$EXIT_HOST" restore_missing "There is no file $file that can be read." "Check the path and its disk."
        fi
    done
}

# lend FILE NAME: a copy that the container's group may read, for as long as it is needed.
lend() {
    (umask 077 && cp --reflink=auto -- "$1" "$LENT/$2")
    chgrp -- "$(secrets_group)" "$LENT/$2"
    chmod 0640 "$LENT/$2"
}
take_back() {
    if [[ -f $LENT/identity ]]; then shred -u -- "$LENT/identity" || true; fi
    rm -rf -- "$LENT"
}

# restore_plane: everything of the export, in the stores of a plane that has never started. What was interrupted goes on.
restore_plane() {
    local more=() size free actor
    LENT="$INTO/state/restore"
    if [[ -z $RESTORE ]] || journal_has restored; then return; fi
    step "Restoring ${RESTORE##*/}"
    take_back
    mkdir -- "$LENT"
    chgrp -- "$(secrets_group)" "$LENT"
    chmod 0750 "$LENT"
    size="$(stat --format=%s -- "$RESTORE")"
    free="$(df --output=avail -B1 -- "$LENT")"
    free="${free##*[!0-9]}"
    if ((free < size)); then
        stop "$EXIT_HOST" disk_short "The export needs $((size >> 20)) MB in $INTO while it is restored, and $((free >> 20)) MB are free." \
            "Free some space, or name a folder on a larger disk: --into DIR."
    fi
    journal restoring
    lend "$RESTORE" archive.tar
    lend "$IDENTITY" identity
    if [[ -n $LOG_KEY ]]; then
        lend "$LOG_KEY" log.pub
        more+=(--key /restore/log.pub)
    fi
    if [[ -n $ERASURES ]]; then
        lend "$ERASURES" erasures
        more+=(--erasures /restore/erasures)
    fi
    actor="${SUDO_USER:-$(id -un)}"
    # What the gateway needs is started with it, and waited for; the gateway itself is not.
    if ! compose run --rm -T --volume "$LENT:/restore:ro" intake-gateway bundle import /restore/archive.tar \
        --identity /restore/identity --actor "operator:${actor//[!A-Za-z0-9._-]/_}" "${more[@]}"; then
        take_back
        stop "$EXIT_FAILED" restore_failed "The export was not restored; the plane was not started." \
            "Look at what is said above. Run the same command again: it goes on where it stopped."
    fi
    take_back
    journal restored
}
