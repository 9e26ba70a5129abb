"""Certificates of those who come to a tenant's host from outside, and the edge's authority of its own."""

from __future__ import annotations

import os
import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from frostbyte.bootstrap.authorities import Authorities
from frostbyte.deploy.authority import Authority, Client
from frostbyte.kernel.errors import Conflict, Invalid


def shaken(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> dict[str, object] | None:
    """A handshake in memory: what the server learns of its client's certificate."""
    (a, b), (c, d) = (ssl.MemoryBIO(), ssl.MemoryBIO()), (ssl.MemoryBIO(), ssl.MemoryBIO())
    ours = server.wrap_bio(a, b, server_side=True)
    theirs = client.wrap_bio(c, d, server_hostname=name)
    for _ in range(6):
        for side, (out, into) in ((theirs, (d, a)), (ours, (b, c))):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
            into.write(out.read())
    return dict(ours.getpeercert() or {}) or None


def contexts(authority: Authority, certificate: Path, key: Path, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server of the authority that asks for its clients' certificates, and a client with this one."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "gateway/public.crt", folder / "gateway/private.key")
    server.load_verify_locations(authority.ca_file)
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=authority.ca_file)
    client.load_cert_chain(certificate, key)
    return server, client


def test_a_client_is_let_in_by_its_own_tenant_alone(tmp_path: Path) -> None:
    acme, globex = (Authority(tmp_path / name, name) for name in ("acme", "globex"))
    acme.server("gateway", ["gateway.internal"])
    held = acme.client(Client.EDGE)
    seen = shaken(*contexts(acme, held.certificate, held.key, tmp_path / "acme"), "gateway.internal")
    assert seen is not None
    assert (("commonName", "edge"),) in seen["subject"]  # type: ignore[operator]
    foreign = globex.client(Client.EDGE)
    with pytest.raises(ssl.SSLError):
        shaken(*contexts(acme, foreign.certificate, foreign.key, tmp_path / "acme"), "gateway.internal")


def test_a_server_cannot_pass_as_a_client_by_its_name(tmp_path: Path) -> None:
    acme = Authority(tmp_path / "acme", "acme")
    acme.server("gateway", ["gateway.internal"])
    acme.server("edge", ["127.0.0.1"])
    paths = (tmp_path / "acme/edge/public.crt", tmp_path / "acme/edge/private.key")
    with pytest.raises(ssl.SSLError):
        shaken(*contexts(acme, *paths, tmp_path / "acme"), "gateway.internal")


def test_a_clients_certificate_is_short_and_says_what_it_is_for(tmp_path: Path) -> None:
    held = Authority(tmp_path, "acme").client(Client.CONTROL)
    found = x509.load_pem_x509_certificate(held.certificate.read_bytes())
    assert found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "control"
    usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert found.not_valid_after_utc - found.not_valid_before_utc < timedelta(days=91)
    assert timedelta(days=59) < held.renewed_at - datetime.now(UTC) < timedelta(days=61)
    assert {p.stat().st_mode & 0o777 for p in tmp_path.rglob("*") if p.is_file()} == {0o600}


def test_the_keeper_renews_at_two_thirds_and_keeps_tenants_apart(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    kept = Authorities(tmp_path / "authorities", lambda: now)
    first = kept.client("acme", Client.EDGE)
    before = first.certificate.read_bytes()
    assert kept.client("acme", Client.EDGE) == first
    now += timedelta(days=59)
    assert kept.client("acme", Client.EDGE).certificate.read_bytes() == before
    now += timedelta(days=2)
    again = kept.client("acme", Client.EDGE)
    assert again.certificate.read_bytes() != before
    assert again.renewed_at > first.renewed_at + timedelta(days=50)
    assert kept.ca_pem("acme") != kept.ca_pem("globex")
    again.certificate.unlink()
    assert kept.client("acme", Client.EDGE).certificate.exists()
    with pytest.raises(Invalid):
        kept.client("../acme", Client.EDGE)
    os.rename(tmp_path / "authorities/globex", tmp_path / "authorities/initech")
    with pytest.raises(Conflict):
        kept.ca_pem("initech")


def test_many_at_once_find_one_key(tmp_path: Path) -> None:
    found: list[bytes] = []

    def ask() -> None:
        Authority(tmp_path / "acme", "acme").client(Client.EDGE)
        found.append((tmp_path / "acme/ca.key").read_bytes())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert not list(tmp_path.rglob(".new-*"))


def test_the_edges_authority_vouches_for_its_domain_alone(tmp_path: Path) -> None:
    edge = Authority(tmp_path, "", domain="pipeline.localhost")
    trusting = ssl.create_default_context(cafile=edge.ca_file)
    edge.server("wildcard", ["*.pipeline.localhost"])
    edge.server("elsewhere", ["bank.example"])
    for name, host, good in (
        ("wildcard", "acme.pipeline.localhost", True),
        ("wildcard", "other.localhost", False),
        ("elsewhere", "bank.example", False),
    ):
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(tmp_path / name / "public.crt", tmp_path / name / "private.key")
        if good:
            shaken(server, trusting, host)
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                shaken(server, trusting, host)
    with pytest.raises(Conflict):
        Authority(tmp_path, "", domain="other.localhost")
