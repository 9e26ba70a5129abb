"""No hostile name, address or setting reaches a file of the edge; what is written reads back as it was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.control_plane.edge.routes import Credentials, Pair, Route, Site, Tls
from frostbyte.deploy.traefik import Traefik, startup
from frostbyte.deploy.traefik.emit import emit
from frostbyte.kernel.errors import Invalid

PEM = "-----BEGIN CERTIFICATE-----\n" + "MIIB+/aa==\n" * 3 + "-----END CERTIFICATE-----\n"
KEY = PEM.replace("CERTIFICATE", "PRIVATE KEY")
DOMAIN = "pipeline.frostbyte.io"
HOSTILE = [
    "{{ env `HOME` }}", "{{", "a`) || Host(`b", "a\nb: c", "a: b", "a #b", "*", "&a", "!!x", "a'b", 'a"b', "a%b",
    "a b", "a\x00", "a\x85b", "a\u2028b", "..", "../x", "a/../b", "ä", "а", "A", "-a", "a-", "a_b", "admin", "control",
    "edge", "", "a" * 33, "0x10.example", "<<", "~", "null\n", "a.", ".a", "a..b", "\ud800", "yes:", "${x}", "$(x)",
]  # fmt: skip
texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=40),
    st.text(alphabet="ab0.-:/[]@{}`\n #%&*!|>'\"\\", max_size=30),
    st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True),
)
urls = st.one_of(
    texts,
    st.builds("http://{}:8080".format, texts),
    st.builds("https://{}".format, texts),
    st.sampled_from(["http://10.7.1.2:8080", "https://gw.example.com", "http://[fd00::1]:8080", "http://127.0.0.1:1"]),
)
site = Site(domain=DOMAIN)


def read(text: str) -> dict[str, Any]:
    """As Traefik does: a template first."""
    assert "{{" not in text
    assert text.isascii()
    found = yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


@settings(deadline=None)
@given(texts, texts, urls, texts, st.booleans())
def test_a_route_is_refused_or_written_as_it_was_meant(
    tenant_id: str, domain: str, url: str, code: str, secure: bool
) -> None:
    credentials = Credentials(ca=PEM, certificate=PEM, key=KEY) if secure else None
    for named in (domain, DOMAIN):
        for told in ({"gateway_url": url, "credentials": credentials}, {"code": code}):
            refusal = ""
            try:
                check(Route(tenant_id=tenant_id, domain=named, **told))  # type: ignore[arg-type]
            except Invalid as refused:
                refusal = refused.code
            assert refusal in {"", "edge_route_invalid", "edge_plain_text", "edge_certificate_missing"}


def check(route: Route) -> None:
    """The file has this route and nothing else."""
    assert re.fullmatch(r"[a-z0-9]{1,32}", route.tenant_id)
    http = read(Traefik().tenant(route, site))["http"]
    name = f"tenant-{route.tenant_id}"
    assert list(http["routers"]) == [name]
    assert http["routers"][name]["rule"] == f"Host(`{route.tenant_id}.{route.domain}`)"
    assert http["routers"][name]["service"] == f"{name}-gateway"
    assert list(http["services"]) == [f"{name}-gateway"]
    balancer = http["services"][f"{name}-gateway"]["loadBalancer"]
    assert balancer["servers"] == ([{"url": route.gateway_url}] if route.gateway_url else [])
    headers = http["middlewares"][f"{name}-named"]["headers"]
    assert headers["customRequestHeaders"] == {"X-Frostbyte-Tenant": route.tenant_id}
    assert headers.get("customResponseHeaders", {}).get("X-Frostbyte-Code", "") == route.code
    assert list(http["middlewares"]) == http["routers"][name]["middlewares"] == [f"{name}-named", f"{name}-limit"]
    if route.credentials is None:
        assert "serversTransports" not in http
    else:
        transport = http["serversTransports"][balancer["serversTransport"]]
        assert transport["rootCAs"] == [route.credentials.ca]
        shown = {"certFile": route.credentials.certificate, "keyFile": route.credentials.key}
        assert transport["certificates"] == [shown]


@pytest.mark.parametrize(
    "url",
    [
        "http://10.7.1.2:8080", "http://192.168.3.4", "http://127.0.0.1:8080", "http://[fd00::12]:8080",
        "http://gateway:8080", "http://gw.acme.internal:8080", "https://gw.example.com", "https://198.51.100.7:8443",
    ],
)  # fmt: skip
def test_addresses_of_gateways(url: str) -> None:
    credentials = Credentials(ca=PEM, certificate=PEM, key=KEY) if url.startswith("https") else None
    check(Route(tenant_id="acme", domain=DOMAIN, gateway_url=url, credentials=credentials))


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://gw.example.com:8080", "edge_plain_text"),
        ("http://8.8.8.8:8080", "edge_plain_text"),
        ("http://169.254.169.254", "edge_route_invalid"),
        ("http://0.0.0.0:8080", "edge_route_invalid"),
        ("http://10.7.1.2:8080/", "edge_route_invalid"),
        ("http://10.7.1.2:8080/x?y", "edge_route_invalid"),
        ("http://user@10.7.1.2:8080", "edge_route_invalid"),
        ("http://10.7.1.2:65536", "edge_route_invalid"),
        ("http://10.7.1:8080", "edge_route_invalid"),
        ("http://[::1", "edge_route_invalid"),
        ("ftp://10.7.1.2", "edge_route_invalid"),
        ("http://{{x}}:80", "edge_route_invalid"),
        ("https://gw.example.com", "edge_certificate_missing"),
    ],
)
def test_addresses_that_no_gateway_has(url: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        Route(tenant_id="acme", domain=DOMAIN, gateway_url=url)
    assert caught.value.code == code


@pytest.mark.parametrize("text", ["", "x", PEM + "{{x}}\n", PEM.replace("MIIB", "{{`a`}}"), PEM[:-1], "\n" + PEM])
def test_only_certificates_pass_as_certificates(text: str) -> None:
    with pytest.raises(Invalid):
        Credentials(ca=text, certificate=PEM, key=KEY)
    with pytest.raises(Invalid):
        Pair(certificate=PEM, key=text)


@settings(deadline=None)
@given(st.lists(texts, min_size=9, max_size=9), st.sampled_from(list(Tls)))
def test_settings_are_refused_or_written_as_they_were_meant(t: list[str], tls: Tls) -> None:
    try:
        told = Site(
            domain=t[0], tls=tls, acme_email=t[1], acme_dns=t[2], acme_server=t[3], acme_storage=t[4],
            web=t[5], websecure=t[6], api_url=t[7], api_from=(t[8],) if t[8] else (),
        )  # fmt: skip
    except Invalid:
        return
    check_site(told)


@pytest.mark.parametrize("name", ["acme_email", "acme_dns", "acme_server", "acme_storage", "web", "status", "api_url"])
@pytest.mark.parametrize("text", HOSTILE)
def test_each_setting_alone(name: str, text: str) -> None:
    try:
        told = Site(domain=DOMAIN, **{name: text})  # type: ignore[arg-type]
    except Invalid:
        return
    check_site(told)


def check_site(told: Site) -> None:
    begun = read(startup(told, "/srv/edge/routes"))
    assert begun["entryPoints"]["web"]["address"] == told.web
    assert begun["entryPoints"]["status"]["address"].startswith(("127.", "[::1]"))
    shared = {name: read(text) for name, text in Traefik().shared(told, None).items()}
    if told.api_url:
        service = shared["control.yml"]["http"]["services"]["control-api"]
        assert service["loadBalancer"]["servers"] == [{"url": told.api_url}]


def test_what_the_edge_starts_with() -> None:
    begun = read(startup(Site(domain=DOMAIN), "/srv/edge/routes"))
    web = begun["entryPoints"]["web"]["http"]["redirections"]["entryPoint"]
    assert web == {"to": "websecure", "scheme": "https", "permanent": True}
    assert begun["providers"]["providersThrottleDuration"] == "100ms"
    assert begun["providers"]["file"] == {"directory": "/srv/edge/routes", "watch": True}
    assert "api" not in begun, "no dashboard"
    logged = begun["accessLog"]["fields"]
    assert logged["defaultMode"] == logged["headers"]["defaultMode"] == "drop"
    assert not {"RequestPath", "RequestLine", "RequestHost", "ClientAddr", "ClientHost"} & set(logged["names"])
    assert "certificatesResolvers" not in begun


@pytest.mark.parametrize("dns", ["", "cloudflare"])
def test_acme_by_host_or_one_for_all(dns: str) -> None:
    told = Site(domain=DOMAIN, tls=Tls.ACME, acme_email="ops@frostbyte.io", acme_dns=dns)
    resolver = read(startup(told, "/srv/edge/routes"))["certificatesResolvers"]["frostbyte"]["acme"]
    assert resolver["email"] == "ops@frostbyte.io"
    assert ("tlsChallenge" in resolver) is (dns == "")
    route = Route(tenant_id="acme", domain=DOMAIN, code="tenant_suspended")
    tls = read(Traefik().tenant(route, told))["http"]["routers"]["tenant-acme"]["tls"]
    assert tls["certResolver"] == "frostbyte"
    assert tls.get("domains") == ([{"main": f"*.{DOMAIN}"}] if dns else None)
    with pytest.raises(Invalid):
        Site(domain=DOMAIN, tls=Tls.ACME)


def test_old_protocols_and_names_that_are_not_ours_are_refused() -> None:
    shared = read(Traefik().shared(site, Pair(certificate=PEM, key=KEY))["edge.yml"])
    assert shared["tls"]["options"]["default"] == {"minVersion": "VersionTLS12", "sniStrict": True}
    assert shared["tls"]["certificates"] == [{"certFile": PEM, "keyFile": KEY}]


# -- the writer ----------------------------------------------------------------------------------------------------

scalars = st.one_of(st.booleans(), st.integers(-(10**9), 10**9), texts, st.sampled_from(["yes", "1e3", "1_0", "12:30"]))
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=12,
)


def strings(value: Any) -> Iterator[str]:
    """All strings of a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


@settings(deadline=None)
@given(st.dictionaries(texts, values, min_size=1, max_size=4))
def test_whatever_is_written_reads_back(document: dict[str, Any]) -> None:
    plain = all(re.fullmatch(r"[\n -~]*", text) and "{{" not in text for text in strings(document))
    try:
        text = emit(document, "Made by a test.")
    except Invalid:
        assert not plain
        return
    assert plain
    assert read(text) == document
