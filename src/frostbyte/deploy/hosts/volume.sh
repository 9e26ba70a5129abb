#!/bin/sh
# The one volume of this host at its place: `frostbyte-volume WORD`. Every word may be said again.
#
#   boot    mount a volume that is not encrypted; an encrypted one and an empty one stay as they are
#   state   say how it stands: none, several, empty, foreign, plain, plain-mounted, locked, unlocked, mounted
#   open    open an encrypted volume with the key on standard input, mount it, start the engine
#   make    the same; an empty volume is encrypted first. Nothing that is not empty is ever formatted
#   grow    let the file system fill a volume that was made larger; the key as for open where it is encrypted
#
# The key is on no command line, in no variable of the environment and in no file: the shell's own `read` takes it, and
# its own `printf` hands it to cryptsetup through a pipe.
set -eu
place=/srv/frostbyte
devices=/dev/disk/by-id
mapper=/dev/mapper
fstab=/etc/fstab
name=frostbyte-data
patience=120
zeros=16777216
# What an encrypted volume is called until it has a file system, so that one who was cut off in between makes that now.
fresh=frostbyte-fresh

inside="$mapper/$name"

fail() {
    echo "$1" >&2
    exit 1
}

mounted() {
    findmnt --noheadings --mountpoint "$place" >/dev/null
}

# The volume's device in $device; how many there are in $many. Waits for one where it may still be on its way.
find_device() {
    waited=0
    while :; do
        set -- "$devices"/scsi-0HC_Volume_*
        many=$#
        device="$1"
        if [ -e "$device" ]; then return 0; fi
        many=0
        if [ "$waited" -ge "$wait_for" ]; then return 0; fi
        waited=$((waited + 1))
        sleep 1
    done
}

need_device() {
    [ "$many" -ne 0 ] || fail "no volume is attached"
    [ "$many" -eq 1 ] || fail "more than one volume is attached"
}

# What lies on a device: sealed, plain, empty, or foreign for whatever else. Empty is what holds nothing that anybody
# knows and begins with zeros alone.
lies() {
    type="$(blkid -p -o value -s TYPE "$1" 2>/dev/null || true)"
    case "$type" in
        crypto_LUKS) echo sealed ;;
        ext4) echo plain ;;
        '') if cmp -s -n "$zeros" "$1" /dev/zero; then echo empty; else echo foreign; fi ;;
        *) echo foreign ;;
    esac
}

state() {
    wait_for=0
    find_device
    case "$many" in
        0) echo none; return ;;
        1) ;;
        *) echo several; return ;;
    esac
    case "$(lies "$device")" in
        sealed)
            if ! [ -e "$inside" ]; then echo locked
            elif mounted; then echo mounted
            else echo unlocked
            fi ;;
        plain) if mounted; then echo plain-mounted; else echo plain; fi ;;
        empty) echo empty ;;
        *) echo foreign ;;
    esac
}

# Mount a device, and see that it is. $2: options beside those of every volume.
settle() {
    mkdir -p "$place"
    if ! mounted; then
        if ! grep -q " $place " "$fstab"; then
            # nofail: a host without its volume still answers SSH; its engine does not start.
            echo "$1 $place ext4 $2,nofail,noatime,nodev,nosuid,noexec 0 ${3}" >>"$fstab"
        fi
        systemctl daemon-reload
        mount "$place"
    fi
    mounted || fail "the volume is not mounted"
    chown 0:0 "$place"
    chmod 0711 "$place"
    # -- folders
}

take_key() {
    key=
    IFS= read -r key || [ -n "$key" ] || fail "no key was given"
}

seal() {
    # The key is 256 random bits: nothing has to make guessing it slow.
    printf '%s' "$key" | cryptsetup luksFormat --batch-mode --type luks2 --cipher aes-xts-plain64 --key-size 512 \
        --hash sha256 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --label "$fresh" --key-file - "$device"
}

unlock() {
    [ ! -e "$inside" ] || return 0
    status=0
    printf '%s' "$key" | cryptsetup open --type luks2 --key-file - "$device" "$name" || status=$?
    [ "$status" -ne 2 ] || fail "the volume does not open with this key"
    [ "$status" -eq 0 ] || fail "cryptsetup failed with $status"
}

whole() {
    status=0
    e2fsck -p "$inside" >/dev/null 2>&1 || status=$?
    # 1: what was not finished when the host went down has been put right.
    [ "$status" -le 1 ] || fail "the file system on the volume is damaged: e2fsck said $status"
}

opened() {
    if ! mounted; then whole; fi
    settle "$inside" "noauto,x-systemd.device-timeout=5s" 0
    systemctl start docker.service
}

word="${1:-boot}"
wait_for="$patience"
case "$word" in
    state) state ;;
    boot)
        if ! mounted; then
            find_device
            need_device
            case "$(lies "$device")" in
                plain) settle "$device" "x-systemd.device-timeout=60s" 2 ;;
                sealed | empty) ;;
                *) fail "on the volume lies something that is not ours" ;;
            esac
        else
            settle "" "" ""
        fi ;;
    open | make)
        take_key
        find_device
        need_device
        found="$(lies "$device")"
        if [ "$found" = empty ] && [ "$word" = make ]; then
            seal
            found=sealed
        fi
        [ "$found" = sealed ] || fail "the volume is not encrypted but $found"
        unlock
        if [ "$word" = make ] && [ "$(blkid -p -o value -s LABEL "$device")" = "$fresh" ]; then
            mkfs.ext4 -q -F -m 0 -E nodiscard "$inside"
            cryptsetup config --label frostbyte "$device"
        fi
        opened ;;
    grow)
        wait_for=0
        find_device
        need_device
        mounted || fail "the volume is not mounted"
        if [ "$(lies "$device")" = sealed ]; then
            take_key
            printf '%s' "$key" | cryptsetup resize --key-file - "$name"
            resize2fs "$inside"
        else
            resize2fs "$device"
        fi ;;
    *) fail "frostbyte-volume knows boot, state, open, make and grow" ;;
esac
