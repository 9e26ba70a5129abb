# shellcheck shell=bash
# Exports that were left in INTO/exports. Sourced after lib.sh and running.sh, under the lock.
#
# An export holds every document that there was. One that stays beside its plane is a copy that erasing does not reach by
# itself, so none is kept for longer than a day, and none of which a document was erased since.

readonly EXPORT_SECONDS=86400

# sweep_exports: takes away what was interrupted, what is older than a day, and what an erasure has to reach.
sweep_exports() {
    local file made erased id
    if [[ ! -d $INTO/exports ]]; then return; fi
    erased="$(inside plane export-list --erased 2>/dev/null)" || erased=''
    for file in "$INTO"/exports/*; do
        case "$file" in
            *.tar.part) drop_export "$file" "it was interrupted" ;;
            *.tar)
                made="$(stat -c %Y -- "$file")"
                if (($(date +%s) - made > EXPORT_SECONDS)); then
                    drop_export "$file" "it is older than a day"
                    continue
                fi
                for id in $erased; do
                    if [[ $file == *"-$id.tar" ]]; then drop_export "$file" "a document in it was erased"; fi
                done
                ;;
        esac
    done
}
drop_export() {
    rm -f -- "$1" "$1.txt"
    sync -- "${1%/*}"
    say "  removed ${1##*/}: $2"
}
