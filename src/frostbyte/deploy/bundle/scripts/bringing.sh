# shellcheck shell=bash
# Bringing a bundle to a host: its signed files, its images, the secrets that it needs. Sourced after lib.sh, host.sh and
# running.sh, by install.sh and update.sh. Nothing here changes what runs.
# shellcheck disable=SC2034

# keep_bundle SIGNERS: the signed files without images and models: what runs is what was checked, and the disk can go
# back into its safe.
keep_bundle() {
    local part="$INTO/bundles/$BUNDLE_ID.part" path folder all kept=()
    local -A folders=()
    if [[ -d $INTO/bundles/$BUNDLE_ID ]]; then return; fi
    rm -rf -- "$part"
    mkdir -p -- "$part"
    for path in "${SUM_PATHS[@]}" SHA256SUMS SHA256SUMS.sig; do
        case "$path" in
            images/* | models/*) continue ;;
            SHA256SUMS | SHA256SUMS.sig) ;;
            *) kept+=("$path") ;;
        esac
        folder=.
        if [[ $path == */* ]]; then folder="${path%/*}"; fi
        folders["$folder"]+="$path "
    done
    all=("${!folders[@]}")
    mkdir -p -- "${all[@]/#/$part/}"
    # Names in a bundle have no blanks (read_sums).
    # shellcheck disable=SC2086
    for folder in "${!folders[@]}"; do
        (cd -- "$BUNDLE" && cp --preserve=mode -t "$part/$folder" -- ${folders[$folder]})
    done
    check_signature "$part" "$1"
    read_sums "$part"
    check_sums "$part" "${kept[@]}"
    # These files alone: a whole file system may have gigabytes of others to write.
    sync -- "${kept[@]/#/$part/}" "$part"/SHA256SUMS{,.sig} "${all[@]/#/$part/}"
    mv -T -- "$part" "$INTO/bundles/$BUNDLE_ID"
    sync -- "$INTO/bundles"
}

# bring_images: those that are not here are loaded, one after the other; NEW_SETTINGS are the lines of .env that name
# them.
bring_images() {
    local key number=0
    step "Images"
    NEW_SETTINGS=()
    known_images
    for key in "${IMAGE_KEYS[@]}"; do
        number=$((number + 1))
        if [[ -n ${LOADED[$key]} ]]; then
            say "  $number of ${#IMAGE_KEYS[@]}: $key is here"
        else
            say "  $number of ${#IMAGE_KEYS[@]}: loading $key ($(mebibytes "${IMAGE_SIZE[$key]}") MB)"
            load_image "$BUNDLE" "$key"
        fi
        NEW_SETTINGS+=("$(image_setting "$key")=${LOADED[$key]}")
    done
}

# write_secrets IMAGE: those that are there stay.
write_secrets() {
    local stand_in=() group
    group="$(secrets_group)"
    if [[ ",$BUNDLE_STAND_INS," == *,qdrant,* ]]; then stand_in=(--stand-in-vectors); fi
    ours "$1" --user "$(id -u):$(id -g)" --group-add "$group" \
        --mount "type=bind,source=$INTO/plane,target=/plane" \
        -- frostbyte deploy secrets --out /plane --tenant "$BUNDLE_TENANT" "${stand_in[@]}"
    sync -f -- "$INTO/plane"
}
# Root gives the secrets to a group of their own; anybody else to their own (deploy/compose/options.py: SECRETS_GROUP).
secrets_group() { if (($(id -u) == 0)); then printf 10001; else id -g; fi; }
