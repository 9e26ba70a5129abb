#!/bin/sh
# The files of the Debian packages that LIST names, in ROOT: an image's whole system.
#
#   system.sh LIST ROOT
set -eu
list="$1" root="$2"
debs="$(mktemp -d)"
mkdir -p "$root"
cd "$debs"
# Sorted, so that the order of unpacking never differs.
grep -v '^#' "$list" | sort | xargs apt-get -o APT::Sandbox::User=root download -qq
mkdir -p "$root/var/lib/dpkg/status.d"
for deb in *.deb; do
    dpkg-deb -x "$deb" "$root"
    # Where scanners of images without dpkg look for what is inside.
    dpkg-deb -f "$deb" >"$root/var/lib/dpkg/status.d/$(dpkg-deb -f "$deb" Package)"
done
# Licences stay; what nobody reads in a container goes.
find "$root/usr/share/doc" -type f ! -name copyright -delete
rm -rf "$root/usr/share/man" "$root/usr/share/locale" "$root/usr/share/lintian" "$root/usr/share/bug" \
    "$root/usr/share/info" "$root/usr/share/zoneinfo/right" "$root/usr/share/pixmaps" "$root/usr/share/applications"
find "$root/usr/lib/python3.13" \( -name __pycache__ -o -name idlelib -o -name turtledemo -o -name ensurepip \
    -o -name pydoc_data -o -name test -o -name lib2to3 \) -prune -exec rm -rf {} +
# Compiled once, here: a read-only file system cannot keep it. Checked against nothing, so no time is inside.
# Conversions of old encodings by libc; Python has its own.
rm -rf "$root"/usr/lib/*/gconv
python3 -m compileall -q -j1 --invalidation-mode unchecked-hash -s "$root" -p / "$root/usr/lib/python3.13"

mkdir -p "$root/etc/ssl/certs" "$root/usr/lib/ssl" "$root/tmp" "$root/var/lib/frostbyte" "$root/models" "$root/qdrant/storage" "$root/run/keys" "$root/run/signing" "$root/run/tenant"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
ln -sf /etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"
printf 'root:x:0:0:root:/:/nonexistent\nfrostbyte:x:10001:10001:frostbyte:/var/lib/frostbyte:/nonexistent\n' >"$root/etc/passwd"
printf 'root:x:0:\nfrostbyte:x:10001:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
chmod 1777 "$root/tmp"
chown 10001:10001 "$root/var/lib/frostbyte" "$root/models" "$root/qdrant/storage" "$root/run/keys" "$root/run/signing" "$root/run/tenant"
chmod 0700 "$root/var/lib/frostbyte" "$root/qdrant/storage" "$root/run/keys" "$root/run/signing" "$root/run/tenant"
# A builder's cache compares content and not times: with the time in a file, another time is another tree.
echo "$SOURCE_DATE_EPOCH" >"$root/etc/build-epoch"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
