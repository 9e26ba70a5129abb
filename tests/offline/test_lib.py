"""What the scripts share: settings, journal, lock, manifest, trust. Each is tried in bash, as the scripts use it."""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
import time
from pathlib import Path

import pytest

from frostbyte.deploy.bundle import layout
from offline.miniature import SCRIPTS, Host, Miniature, Signer


def bash(host: Host, code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Code as a script that sources lib.sh; INTO is the host's."""
    script = host.folder / "try.sh"
    head = f'set -euo pipefail\n. "{SCRIPTS}/lib.sh"\nINTO="{host.into}"\n'
    script.write_text(head + textwrap.dedent(code))
    return host.run(script, *arguments)


def test_settings_are_replaced_and_added_and_others_stay(host: Host) -> None:
    (host.into / "plane").mkdir(parents=True)
    (host.into / "plane/.env").write_text("# words\nFROSTBYTE_PORT=8080\nFROSTBYTE_LOG_LEVEL=debug")
    done = bash(
        host,
        """
        set_settings FROSTBYTE_PORT=9090 "$(image_setting nomic-embed)=sha256:1"
        printf '%s|%s|%s' "$(setting FROSTBYTE_PORT)" "$(setting FROSTBYTE_IMAGE_NOMIC_EMBED)" "$(setting NONE else)"
        """,
    )
    assert done.stdout == "9090|sha256:1|else", done.stderr
    assert (host.into / "plane/.env").read_text() == (
        "# words\nFROSTBYTE_PORT=9090\nFROSTBYTE_LOG_LEVEL=debug\nFROSTBYTE_IMAGE_NOMIC_EMBED=sha256:1\n"
    )


def test_a_line_of_a_journal_that_was_cut_off_does_not_count(host: Host) -> None:
    (host.into / "state").mkdir(parents=True)
    (host.into / "state/try.journal").write_text("t\tloaded\tredis\nt\tloaded\tmin")
    done = bash(
        host,
        """
        journal_open try
        journal_has loaded redis && printf 'redis '
        journal_has loaded min || printf 'not-min '
        journal loaded minio "a b"
        journal_last
        """,
    )
    assert done.stdout == "redis not-min loaded\tminio\ta b", done.stderr
    assert [line.split("\t")[1:] for line in (host.into / "state/try.journal").read_text().splitlines()] == [
        ["loaded", "redis"],
        ["loaded", "minio", "a b"],
    ]


def test_only_one_script_works_at_a_time_and_one_that_was_killed_holds_nothing(host: Host) -> None:
    holder = subprocess.Popen(
        ["bash", "-c", f'. "{SCRIPTS}/lib.sh"; INTO="{host.into}"; lock_host; echo held; exec sleep 60'],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    refused = bash(host, "lock_host; echo in")
    assert (refused.returncode, refused.stdout) == (13, "")
    assert "[host_busy]" in refused.stderr
    holder.kill()
    holder.wait()
    assert bash(host, "lock_host; echo in").stdout == "in\n"
    assert bash(host, "lock_host; bash -c '. \"$0\"; INTO=\"$1\"; lock_host; echo below' "
                      f'"{SCRIPTS}/lib.sh" "$INTO"').stdout == "below\n"  # fmt: skip


def test_of_many_that_want_the_lock_at_once_one_has_it(host: Host) -> None:
    """Each that holds it says so and works for a moment; nobody else may speak in between."""
    (host.into / "state").mkdir(parents=True)
    words = host.folder / "words"
    code = (
        f'. "{SCRIPTS}/lib.sh"; INTO="{host.into}"; lock_host; '
        f'echo "in $$" >>"{words}"; sleep 0.05; echo "out $$" >>"{words}"'
    )
    for _ in range(4):
        started = [subprocess.Popen(["bash", "-c", code], stderr=subprocess.DEVNULL) for _ in range(8)]
        assert {one.wait() for one in started} <= {0, 13}
        time.sleep(0.01)
    said = [line.split() for line in words.read_text().splitlines()]
    assert len(said) >= 8
    for (first, one), (then, other) in zip(said[::2], said[1::2], strict=True):
        assert (first, then, one) == ("in", "out", other)


def test_the_manifest_is_read_into_names(host: Host, miniature: Path) -> None:
    done = bash(
        host,
        """
        read_manifest "$1"
        echo "$BUNDLE_VERSION $BUNDLE_ARCHITECTURE $BUNDLE_TENANT $BUNDLE_SCHEMA [$BUNDLE_BASE] $BUNDLE_STAND_INS"
        echo "${IMAGE_KEYS[*]} ${IMAGE_TAG[nomic-embed]} ${IMAGE_PARTIAL[api]}"
        echo "${MODEL_PATHS[*]} ${MODEL_SIZE[models/nomic-embed-text-v1.5/model.gguf]}"
        """,
        miniature,
    )
    lines = done.stdout.splitlines()
    assert lines[0] == "1.0 amd64 acme 10 [] qdrant", done.stderr
    assert lines[1].startswith(
        "api clamav minio nomic-embed postgres qdrant redis worker frostbyte-bundle/nomic-embed:"
    )
    assert lines[2] == "models/clamav/frostbyte.ndb models/nomic-embed-text-v1.5/model.gguf 4"


def test_a_whole_bundle_is_believed(host: Host, miniature: Path, signer: Signer) -> None:
    done = bash(host, 'check_trust "$1" "$2"; echo well', miniature, signer.signers)
    assert (done.returncode, done.stdout) == (0, "well\n"), done.stderr
    assert host.calls == []


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        ("other key", "signature_bad"),
        ("inside", "signers_inside"),
        ("link to inside", "signers_inside"),
        ("no signers", "signers_missing"),
        ("no signature", "signature_missing"),
        ("unlisted", "files_unlisted"),
        ("hidden unlisted", "files_unlisted"),
        ("link", "files_unlisted"),
        ("climbing", "sums_unreadable"),
        ("twice", "sums_unreadable"),
    ],
)
def test_what_is_not_whole_is_refused_with_a_name(
    host: Host, miniature: Path, signer: Signer, tmp_path: Path, damage: str, name: str
) -> None:
    bundle, signers = tmp_path / "bundle", signer.signers
    shutil.copytree(miniature, bundle)
    if damage == "other key":
        signers = Signer(tmp_path / "other").signers
    elif damage in ("inside", "link to inside"):
        signers = bundle / "signers"
        shutil.copy(signer.signers, signers)
        if damage == "link to inside":
            signers = tmp_path / "link"
            signers.symlink_to(bundle / "signers")
    elif damage == "no signers":
        signers = tmp_path / "none"
    elif damage == "no signature":
        (bundle / layout.SIGNATURE).unlink()
    elif damage == "unlisted":
        (bundle / "scripts/more.sh").write_text("")
    elif damage == "hidden unlisted":
        (bundle / ".profile").write_text("")
    elif damage == "link":
        (bundle / "README.md").rename(tmp_path / "README.md")
        (bundle / "README.md").symlink_to(tmp_path / "README.md")
    else:
        line = {"climbing": f"{'0' * 64}  ../more\n", "twice": f"{'0' * 64}  README.md\n"}[damage]
        with (bundle / layout.SUMS).open("a") as sums:
            sums.write(line)
        (bundle / layout.SIGNATURE).unlink()
        command = ["ssh-keygen", "-q", "-Y", "sign", "-f", signer.key, "-n", layout.NAMESPACE, bundle / layout.SUMS]
        subprocess.run(command, check=True, capture_output=True)
    done = bash(host, 'check_trust "$1" "$2"; echo well', bundle, signers)
    assert (done.returncode, done.stdout) == (11, "")
    assert f"[{name}]" in done.stderr
    assert "What to do:" in done.stderr


def test_a_command_that_fails_unexpectedly_is_said_once_with_what_to_do(host: Host) -> None:
    done = bash(host, 'what() { cat /nonexistent/file; }\nx="$(what)"\necho on')
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("[unexpected]") == 1


def test_dockers_own_words_are_passed_on(host: Host) -> None:
    done = bash(host, 'x="$(engine image inspect nothing)"; echo on')
    assert (done.returncode, done.stdout) == (12, "")
    assert "No such image: nothing" in done.stderr
    assert done.stderr.count("What to do:") == 1


@pytest.mark.parametrize("containerd", [False, True])
def test_an_image_is_loaded_once_and_known_by_the_engines_id(host: Host, miniature: Path, containerd: bool) -> None:
    host.told(containerd=containerd)
    done = bash(
        host,
        """
        read_manifest "$1"
        image_id redis; echo "[$LOADED_ID]"
        load_image "$1" redis; first="$LOADED_ID"
        image_id redis; [[ $LOADED_ID == "$first" && -n $first ]] && echo same
        [[ $LOADED_ID == "${IMAGE_ID[redis]}" ]] && echo as-written || echo other
        """,
        miniature,
    )
    assert done.stdout.split() == ["[]", "same", "other" if containerd else "as-written"], done.stderr


def test_names_in_a_bundle_are_the_same_for_scripts_and_python() -> None:
    text = (SCRIPTS / "lib.sh").read_text()
    for name in (layout.TABLE, layout.SUMS, layout.SIGNATURE, layout.COMPOSE):
        assert name in text
    assert f"-n {layout.NAMESPACE}" in text


def test_an_old_miniature_and_a_new_one_share_what_did_not_change(tmp_path: Path, signer: Signer) -> None:
    old = Miniature().write(tmp_path, signer)
    new = Miniature(version="1.1", schema=11).write(tmp_path, signer)
    same = [
        f.name for f in sorted((old / "images").iterdir()) if f.read_bytes() == (new / "images" / f.name).read_bytes()
    ]
    assert same == ["clamav.tar", "minio.tar", "nomic-embed.tar", "postgres.tar", "qdrant.tar", "redis.tar"]
    assert os.stat(old / "scripts/lib.sh").st_mode & 0o777 == 0o755
