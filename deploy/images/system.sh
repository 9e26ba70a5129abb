#!/bin/sh
# The files of the Debian packages that LIST names, in ROOT: an image's whole system, with Python or without.
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
# Conversions of old encodings by libc; Python has its own.
rm -rf "$root"/usr/lib/*/gconv
if [ -d "$root/usr/lib/python3.13" ]; then
    find "$root/usr/lib/python3.13" \( -name __pycache__ -o -name idlelib -o -name turtledemo -o -name ensurepip \
        -o -name pydoc_data -o -name test -o -name lib2to3 -o -name '_test*.so' -o -name '_ctypes_test*.so' \) -prune \
        -exec rm -rf {} +
    # For people at a prompt, for services that no process speaks to, and Python's own copies of what it has in C.
    (cd "$root/usr/lib/python3.13" && rm -rf _pyrepl turtle.py pydoc.py pdb.py mailbox.py imaplib.py poplib.py xmlrpc \
        venv _pydecimal.py _pydatetime.py _pyio.py)
    # Compiled once, here: a read-only file system cannot keep it. Checked against nothing, so no time is inside.
    python3 -m compileall -q -j1 --invalidation-mode unchecked-hash -s "$root" -p / "$root/usr/lib/python3.13"
fi
# What starts services on a whole system, and PostgreSQL's compiler of queries, whose libraries no list names.
rm -rf "$root/usr/lib/systemd" "$root/usr/lib/tmpfiles.d" "$root/usr/lib/sysusers.d" "$root/etc/init.d" "$root/etc/logrotate.d" \
    "$root/etc/apparmor.d" "$root/etc/network" "$root"/usr/lib/postgresql/*/lib/bitcode "$root"/usr/lib/postgresql/*/lib/llvmjit*

mkdir -p "$root/etc/ssl/certs" "$root/usr/lib/ssl" "$root/tmp" "$root/var/lib/frostbyte" "$root/models" "$root/qdrant/storage" "$root/run/keys" "$root/run/signing" "$root/run/tenant"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
ln -sf /etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"
printf 'root:x:0:0:root:/:/nonexistent\nfrostbyte:x:10001:10001:frostbyte:/var/lib/frostbyte:/nonexistent\n%s\n' \
    'postgres:x:70:70:postgres:/var/lib/postgresql:/nonexistent' >"$root/etc/passwd"
printf 'root:x:0:\nfrostbyte:x:10001:\npostgres:x:70:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
chmod 1777 "$root/tmp"
chown 10001:10001 "$root/var/lib/frostbyte" "$root/models" "$root/qdrant/storage" "$root/run/keys" "$root/run/signing" "$root/run/tenant"
chmod 0700 "$root/var/lib/frostbyte" "$root/qdrant/storage" "$root/run/keys" "$root/run/signing" "$root/run/tenant"
# Every file carries the same time (1980-01-01, as packages.sh has it): equal packages make an equal layer.
find "$root" -exec touch -h -d @315532800 {} +
