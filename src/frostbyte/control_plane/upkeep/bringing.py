"""What is run on a tenant's host to bring it what is fresh, as text. Pure.

Signatures are exchanged while the scanner runs: each file is replaced by another one under its name, never written
into, and what was there keeps a second name until the new set was looked at. Everything may be done again after a cut
at any moment. On hosts there is a shell, coreutils, dpkg with apt, and the engine's client.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from frostbyte.control_plane.provisioning.hosting import Project
from frostbyte.control_plane.upkeep.supplies import Package, Piece

LOADED_SECONDS: Final = 240
"""For a scanner to read a whole set: a minute with all of ClamAV's, and some patience."""
_EICAR: Final = ("X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR", "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*")
"""Everybody's test file (eicar.org), in two parts: as a whole, this file would be called malware itself."""
_PDF: Final = "%PDF-1.4 1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj %%EOF"
_APT: Final = (
    "apt-get -qq -y -o DPkg::Lock::Timeout=120 -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=/dev/null "
    "-o Dpkg::Options::=--force-confold --no-install-recommends --no-remove"
)
"""From the files alone: nothing is asked of any network, nothing that runs is taken away, and what a host's owner or we
have set stays."""


def fresh(place: str, mark: str) -> str:
    """The folder beside the scanner's files where new ones wait; the scanner does not look into it."""
    return f"{place}/.fresh-{mark}"


def waiting(project: Project, mark: str) -> str:
    """The folder where packages wait."""
    return f"{project.folder}/waiting-{mark}"


def prepared(folder: str, owner: str) -> str:
    """Makes a folder for files that are to come."""
    user, group = owner.split(":")
    return f"set -eu\ninstall -d -o {user} -g {group} -m 0700 {folder}\n"


def removed(*folders: str) -> str:
    """Takes away what waited."""
    return "set -eu\n" + "".join(f"rm -rf {folder}\n" for folder in folders)


def exchanged(project: Project, pieces: Sequence[Piece], version: str, mark: str) -> str:
    """Puts the new set in the old one's place, has the scanner read it, and sees that it did."""
    return f"""{_begun(project, mark)}
{_whole('"$fresh"', pieces)}
if [ ! -d "$before" ]; then
    rm -rf "$place/.before-part"
    mkdir -m 0700 "$place/.before-part"
    for file in "$place"/*; do [ ! -f "$file" ] || ln "$file" "$place/.before-part/${{file##*/}}"; done
    mv "$place/.before-part" "$before"
fi
holds "$fresh"
{_loaded(version)}
"""


def looked_at(project: Project) -> str:
    """Sees that the scanner finds what everybody's finds, and nothing in what is harmless."""
    return f"""{_scanner(project)}
look() {{ scanner --no-summary - 2>/dev/null; }}
status=0
caught="$(printf '%s%s' '{_EICAR[0]}' '{_EICAR[1]}' | look)" || status=$?
case "$status:$caught" in
    1:*FOUND*) ;;
    *) echo "the EICAR test file is not caught" >&2; exit 1 ;;
esac
harmless() {{
    look >/dev/null || {{ echo "$1 without anything in it is called malware, or not looked at" >&2; exit 1; }}
}}
printf 'Forty boxes of glass arrive at the north gate on Tuesday.\\n' | harmless "a text"
printf '%s\\n' '{_PDF}' | harmless "a PDF"
printf 'PK\\005\\006\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0' | harmless "an archive"
"""


def put_back(project: Project, mark: str) -> str:
    """Has the scanner read what it had before; nothing happens where that was not touched."""
    return f"""{_begun(project, mark)}
if [ -d "$before" ]; then
    holds "$before"
    # Begun anew: over what it could not read it may have ended, or answer nobody.
    {_compose(project)} restart --timeout 20 {project.scanner} </dev/null
    {_compose(project)} up --detach --no-deps --wait --wait-timeout {LOADED_SECONDS} {project.scanner} </dev/null
    version=
    for daily in "$before"/daily.*; do
        [ ! -f "$daily" ] || version="$(head -c 512 "$daily" | cut -d : -f 3)"
    done
    {_told("$version")}
    rm -rf "$before"
fi
rm -rf "$fresh" "$place/.before-part"
"""


def given_up(project: Project, mark: str) -> str:
    """Gives up what was kept, and what waited."""
    return f'{_begun(project, mark)}\nrm -rf "$before" "$fresh" "$place/.before-part"\n'


def versions(packages: Iterable[str]) -> str:
    """Tells which of the packages are there, a line each: `NAME VERSION ARCHITECTURE`."""
    names = " ".join(packages)
    return (
        "set -eu\n"
        f"for name in {names}; do\n"
        "    found=\"$(dpkg-query --show --showformat '${db:Status-Status} ${Package} ${Version} ${Architecture}' "
        '"$name" 2>/dev/null)" || continue\n'
        '    case "$found" in "installed "*) echo "${found#installed }" ;; esac\n'
        "done\n"
    )


def installed(packages: Sequence[Package], folder: str, *, older: bool = False) -> str:
    """Installs packages from a folder, all in one go, and sees that each is there; says `reboot` where one wants that.

    Args:
        older: whether they are what was there before.
    """
    lines = [
        "set -eu",
        "export DEBIAN_FRONTEND=noninteractive",
        _whole(f'"{folder}"', packages),
        f'cd "{folder}"',
        f"{_APT}{' --allow-downgrades' if older else ''} install ./*.deb </dev/null >/dev/null",
        '[ -z "$(dpkg --audit)" ] || { echo "packages are half installed" >&2; exit 1; }',
    ]
    for one in packages:
        lines.append(
            f"[ \"$(dpkg-query --show --showformat '${{Version}}' {one.package}:{one.architecture} 2>/dev/null || "
            f"dpkg-query --show --showformat '${{Version}}' {one.package})\" = '{one.version}' ] || "
            f'{{ echo "{one.package} is not of the version that was delivered" >&2; exit 1; }}'
        )
    lines += [f'rm -rf "{folder}"', "[ ! -e /run/reboot-required ] || echo reboot", ""]
    return "\n".join(lines)


def _begun(project: Project, mark: str) -> str:
    return f"""{_scanner(project)}
place={project.signatures}
fresh="$place/.fresh-{mark}"
before="$place/.before-{mark}"
# holds FOLDER: the scanner's place holds what the folder holds, and nothing else.
holds() {{
    for file in "$1"/*; do
        rm -f "$place/.${{file##*/}}.next"
        # Done before: two names of one file are not moved upon each other.
        if [ "$file" -ef "$place/${{file##*/}}" ]; then continue; fi
        ln "$file" "$place/.${{file##*/}}.next"
        mv -f "$place/.${{file##*/}}.next" "$place/${{file##*/}}"
    done
    for file in "$place"/*; do [ -e "$1/${{file##*/}}" ] || rm -f "$file"; done
    sync "$place"
}}"""


def _scanner(project: Project) -> str:
    inside = f"{_compose(project)} exec -T {project.scanner}"
    return f"""set -eu
# The script itself comes on the standard input: whoever does not read what it is given must not read that.
scanner() {{ {inside} clamdscan --config-file=/run/secrets/clamd.conf "$@"; }}
ask() {{ scanner "$@" </dev/null; }}"""


def _compose(project: Project) -> str:
    return f"docker compose --project-directory {project.folder}"


def _whole(folder: str, pieces: Sequence[Piece]) -> str:
    listed = "".join(f"{piece.sha256}  {piece.name}\n" for piece in pieces)
    return f"(cd {folder} && sha256sum --check --strict --quiet) <<'SUMS'\n{listed}SUMS"


def _loaded(version: str) -> str:
    """What makes the scanner read anew. It has when it tells the daily database's number; without one, when it answers:
    reading, it answers nobody."""
    return f"ask --reload\n{_told(version)}"


def _told(version: str) -> str:
    return f"""version="{version}"
waited=0
while :; do
    if [ -z "$version" ]; then
        if ask --ping 1:1 >/dev/null; then break; fi
    else
        case "$(ask --version)" in */"$version"/*) break ;; esac
    fi
    [ "$waited" -lt {LOADED_SECONDS} ] || {{ echo "the scanner has not read the signatures" >&2; exit 1; }}
    waited=$((waited + 1))
    sleep 1
done"""
