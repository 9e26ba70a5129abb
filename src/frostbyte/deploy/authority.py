"""A tenant's certificate authority, and certificates by it: of its servers, and of those who come from outside.

    ca.pem, ca.key                          the authority; planes are told of ca.pem alone (FROSTBYTE_CA_FILE)
    {server}/public.crt, private.key        a server's certificate and key: a store's, the gateway's, the channel's
    client-{name}/public.crt, private.key   of a client: `edge` at the gateway, `control` at the control channel

Each tenant has an authority of its own: a server of another tenant, or one that somebody put in a server's place, has
no certificate that the tenant's plane takes, and a client that is let in at one tenant is a stranger to every other.
The edge may have an authority as well, for demos and closed networks: it can vouch for names below its domain alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from frostbyte.kernel.errors import Conflict, Invalid

AUTHORITY_LIFE: Final = timedelta(days=3650)
SERVER_LIFE: Final = timedelta(days=397)
"""The longest that common clients take of a server (CA/Browser Forum, Baseline Requirements 6.3.2, until 2026)."""
HOST_LIFE: Final = timedelta(days=90)
"""Of servers whose certificates the control plane brings to their hosts itself: nobody forgets to."""
CLIENT_LIFE: Final = timedelta(days=90)
"""Clients' certificates are made by who uses them, so they may be short."""
RENEWED_AFTER: Final = 2 / 3
"""The share of its life after which a certificate is made anew."""
_EARLIER: Final = timedelta(minutes=5)
"""A certificate is valid from a little before it is made: clocks differ."""
_SERVER: Final = re.compile(r"[a-z]{1,32}")
_ENCODING: Final = serialization.Encoding.PEM


class Client(StrEnum):
    """Who comes to a tenant's host from outside; the value is the certificate's common name."""

    EDGE = "edge"
    """Passes requests on to the gateway."""
    CONTROL = "control"
    """Speaks over the control channel."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path
    renewed_at: datetime
    """When another one is made in its place, if it is asked for then."""


class Authority:
    """The authority of a tenant, or of the edge, in a folder; made when it is first used.

    Args:
        folder: made with mode 0700.
        tenant: whose it is; a folder never changes its tenant. '' for the edge's.
        domain: of the edge: every name that this authority may vouch for is this one or lies below it.

    Raises:
        Conflict: `authority_of_another_tenant`.
        Invalid: `authority_damaged`: key and certificate do not belong together.
    """

    def __init__(self, folder: Path, tenant: str, *, domain: str = "", now: datetime | None = None) -> None:
        self._folder = folder
        self._domain = domain
        self._now = now or datetime.now(UTC)
        self._name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Frostbyte"),
                x509.NameAttribute(
                    NameOID.COMMON_NAME, f"edge of {domain}"[:64] if domain else f"stores of tenant {tenant}"
                ),
            ]
        )
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._key = _key(folder / "ca.key")
        self._certificate = self._own()

    @property
    def ca_file(self) -> Path:
        """What FROSTBYTE_CA_FILE names."""
        return self._folder / "ca.pem"

    def server(self, name: str, hosts: Sequence[str], life: timedelta = SERVER_LIFE) -> bool:
        """See that a server has a certificate for these host names and addresses; whether one was made now.

        One is made where there is none, where it is for other hosts or by another authority, where its key is missing,
        and after two thirds of its life.

        Args:
            life: of one that is made now.

        Raises:
            Invalid: `certificate_invalid`, `host_invalid`.
        """
        if not _SERVER.fullmatch(name) or not hosts:
            raise Invalid(
                "certificate_invalid",
                "A certificate is for a server, named by small letters, and for at least one host.",
                "Correct --store and --host.",
            )
        names = x509.SubjectAlternativeName([_host(host) for host in hosts])
        return self._made(self._folder / name, name, life, ExtendedKeyUsageOID.SERVER_AUTH, names)

    def client(self, client: Client) -> Held:
        """See that a client has a certificate, under the same conditions as a server, and tell where it is."""
        folder = self._folder / f"client-{client.value}"
        self._made(folder, client.value, CLIENT_LIFE, ExtendedKeyUsageOID.CLIENT_AUTH, None)
        path = folder / "public.crt"
        return Held(certificate=path, key=folder / "private.key", renewed_at=_renewed(_read(path)))

    @property
    def ends_at(self) -> datetime:
        """When the first of its certificates ends: its own, or one that it signed."""
        held = [self._certificate, *(_read(path) for path in self._folder.glob("*/public.crt"))]
        return min(found.not_valid_after_utc for found in held)

    def renew(self, since: datetime) -> list[str]:
        """Make every certificate anew, with a new key, that was made before `since`; names of those made now.

        Whoever is killed in it finds the rest still to do: what was made in the meantime is younger.
        """
        renewed = []
        for path in sorted(self._folder.glob("*/public.crt")):
            found = _read(path)
            if found.not_valid_before_utc + _EARLIER >= since.replace(microsecond=0):
                continue
            folder = path.parent
            (folder / "private.key").unlink(missing_ok=True)
            life = found.not_valid_after_utc - found.not_valid_before_utc - _EARLIER
            extensions = found.extensions
            purpose = next(iter(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value))
            server = purpose == ExtendedKeyUsageOID.SERVER_AUTH
            names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value if server else None
            self._made(folder, folder.name.removeprefix("client-"), life, purpose, names)
            renewed.append(folder.name)
        return renewed

    def _made(
        self,
        folder: Path,
        name: str,
        life: timedelta,
        purpose: x509.ObjectIdentifier,
        names: x509.SubjectAlternativeName | None,
    ) -> bool:
        folder.mkdir(mode=0o700, exist_ok=True)
        key = _key(folder / "private.key")
        path = folder / "public.crt"
        if path.exists() and self._good(_read(path), key, names):
            return False
        begun = self._begun(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, life)
        if names is not None:
            begun = begun.add_extension(names, critical=False)
        made = (
            begun.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        _write(path, made.public_bytes(_ENCODING))
        return True

    def _own(self) -> x509.Certificate:
        """Its own certificate. After two thirds of its life there is another one for the same name and the same key: so
        whatever was signed holds under either, and whoever has one of them trusts what is signed from now on. Nobody
        has to be told at the same moment."""
        if not self.ca_file.exists():
            self._certify(self._now - _EARLIER)
        found = _read(self.ca_file)
        if found.subject != self._name:
            raise Conflict(
                "authority_of_another_tenant",
                "This folder holds the certificate authority of another tenant or domain.",
                "Name a folder of its own.",
            )
        if found.public_key() != self._key.public_key():
            raise _damaged()
        if self._now >= _renewed(found):
            # It holds from when the first one did: a clock that had leapt and went back makes nobody a stranger.
            self._certify(found.not_valid_before_utc)
        return _read(self.ca_file)

    def _certify(self, begins: datetime) -> None:
        begun = self._begun(self._name, self._key, AUTHORITY_LIFE, begins)
        if self._domain:
            # People put it among their system's authorities: it must be of no use for any other site.
            below = x509.NameConstraints([x509.DNSName(self._domain)], excluded_subtrees=None)
            begun = begun.add_extension(below, critical=True)
        made = (
            begun.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        _write(self.ca_file, made.public_bytes(_ENCODING))

    def _begun(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, life: timedelta, begins: datetime | None = None
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins or self._now - _EARLIER)
            .not_valid_after(self._now + life)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )

    def _good(
        self, found: x509.Certificate, key: ec.EllipticCurvePrivateKey, names: x509.SubjectAlternativeName | None
    ) -> bool:
        here = found.not_valid_before_utc <= self._now < _renewed(found)
        if not here or found.public_key() != key.public_key():
            return False
        try:
            found.verify_directly_issued_by(self._certificate)
        except Exception:  # noqa: BLE001  # whatever is wrong with it, another one is made
            return False
        if names is None:
            return True
        return set(found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value) == set(names)


def succeeds(before: str, now: str) -> bool:
    """Whether two certificates (PEM) are of the same authority, one made after the other: name and key are the same."""
    try:
        old, new = (x509.load_pem_x509_certificate(pem.encode()) for pem in (before, now))
    except ValueError:
        return False
    return (old.subject, old.public_key()) == (new.subject, new.public_key()) and old != new


def _renewed(found: x509.Certificate) -> datetime:
    begun, ends = found.not_valid_before_utc, found.not_valid_after_utc
    return begun + (ends - begun) * RENEWED_AFTER


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host)
    except ValueError:
        raise Invalid(
            "host_invalid", "A host is named by a DNS name in ASCII or by an address.", "Correct --host."
        ) from None


def _usage(*, signs: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The key in a file, made at first."""
    if not path.exists():
        fresh = ec.generate_private_key(ec.SECP256R1())
        plain = serialization.NoEncryption()
        _write(path, fresh.private_bytes(_ENCODING, serialization.PrivateFormat.PKCS8, plain), first=True)
    try:
        found = serialization.load_pem_private_key(path.read_bytes(), None)
    except ValueError:
        raise _damaged() from None
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise _damaged()
    return found


def _read(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError:
        raise _damaged() from None


def _damaged() -> Invalid:
    return Invalid(
        "authority_damaged",
        "The certificate authority's files are damaged or do not belong together.",
        "Put them back from your backup, or make another authority in an empty folder and give all stores new ones.",
    )


def _write(path: Path, data: bytes, *, first: bool = False) -> None:
    """Durable and at once, readable by its owner alone.

    Args:
        first: keep what somebody else wrote there in the meantime: of two keys made at once, one is everybody's.
    """
    fresh = path.with_name(f".new-{uuid4().hex}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if first:
        with suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    else:
        fresh.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
