"""An authority that renews itself: what was signed before and after holds under either of its certificates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from frostbyte.bootstrap.authorities import Authorities
from frostbyte.deploy.authority import Authority, succeeds

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
LATER = BEGAN + timedelta(days=2500)
"""Two thirds of ten years are over."""
NAMES = ["db.example"]


def pem(path: Path) -> str:
    return path.read_text(encoding="ascii")


def trusted(authority: str, leaf: str, at: datetime) -> bool:
    found = x509.load_pem_x509_certificate(leaf.encode())
    policy = PolicyBuilder().store(Store([x509.load_pem_x509_certificate(authority.encode())])).time(at)
    try:
        policy.build_server_verifier(x509.DNSName(NAMES[0])).verify(found, [])
    except x509.verification.VerificationError:
        return False
    return True


def test_it_renews_itself_and_nobody_becomes_a_stranger(tmp_path: Path) -> None:
    first = Authority(tmp_path, "acme", now=BEGAN)
    first.server("postgres", NAMES, timedelta(days=3600))
    before, signed = pem(first.ca_file), pem(tmp_path / "postgres/public.crt")
    assert pem(Authority(tmp_path, "acme", now=LATER - timedelta(days=100)).ca_file) == before
    second = Authority(tmp_path, "acme", now=LATER)
    second.server("postgres", NAMES)
    after, newer = pem(second.ca_file), pem(tmp_path / "postgres/public.crt")
    assert succeeds(before, after)
    assert newer != signed
    for authority in (before, after):
        for leaf in (signed, newer):
            assert trusted(authority, leaf, LATER + timedelta(days=1))
    long_after = BEGAN + timedelta(days=3700)
    third = Authority(tmp_path, "acme", now=long_after)
    third.server("postgres", NAMES)
    assert trusted(after, pem(tmp_path / "postgres/public.crt"), long_after)
    assert not trusted(before, pem(tmp_path / "postgres/public.crt"), long_after)
    assert pem(Authority(tmp_path, "acme", now=LATER).ca_file) == after


def test_a_clock_that_leapt_and_went_back_makes_no_certificate_of_the_future(tmp_path: Path) -> None:
    Authority(tmp_path, "acme", now=BEGAN).server("postgres", NAMES)
    Authority(tmp_path, "acme", now=LATER).server("postgres", NAMES)
    back = Authority(tmp_path, "acme", now=BEGAN + timedelta(days=1))
    assert back.server("postgres", NAMES)
    assert trusted(pem(back.ca_file), pem(tmp_path / "postgres/public.crt"), BEGAN + timedelta(days=1))


def test_a_renewed_authority_is_trusted_by_both_and_a_foreign_one_by_none(tmp_path: Path) -> None:
    now = BEGAN
    kept = Authorities(tmp_path / "kept", lambda: now)
    before = kept.ca_pem("acme")
    assert kept.trusted("acme", before) == before
    assert kept.trusted("acme", "") == before
    now = LATER
    after = kept.ca_pem("acme")
    assert after != before
    assert kept.trusted("acme", before) == before + after
    foreign = pem(Authority(tmp_path / "foreign", "acme", now=BEGAN).ca_file)
    assert kept.trusted("acme", foreign) == foreign
    assert not succeeds("no certificate", after)


@pytest.mark.parametrize(("made", "ends"), [(False, None), (True, 90)])
def test_the_first_end_is_told_and_nothing_is_made_for_asking(tmp_path: Path, made: bool, ends: int | None) -> None:
    kept = Authorities(tmp_path, lambda: BEGAN)
    if made:
        kept.servers("acme", {"postgres": NAMES})
    assert kept.ends_at("acme") == (BEGAN + timedelta(days=ends) if ends else None)
    assert (tmp_path / "acme").exists() is made
