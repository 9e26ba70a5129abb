"""The files of Traefik 3: what it starts with, what holds for all hosts, and one file a tenant.

Where each number comes from stands beside it; docs/edge.md shows the files. What a tenant's file looks like is the
owner's document, section 1.4: a router `tenant-{id}`, a service `tenant-{id}-gateway`.
"""

from __future__ import annotations

from typing import Final

from frostbyte.control_plane.edge.routes import CONTROL, Pair, Route, Site, Tls
from frostbyte.deploy.traefik.emit import Value, emit

REQUESTS_A_MINUTE: Final = 1000
"""For each tenant (section 1.4). Exactly that many are taken by the gateway; here it is about that many."""
BURST: Final = 33
"""Requests at once. Traefik forgets a source after two seconds of silence, and with it what it owes: 33 are what two
seconds of 1,000 a minute come to, so who comes in bursts gains nothing by it."""
TENANT_HEADER: Final = "X-Frostbyte-Tenant"
"""Set by the edge, whatever the client sent: the limit is counted by it, so one tenant has one count. Without it
Traefik counts by address."""
CODE_HEADER: Final = "X-Frostbyte-Code"
"""Says why the edge itself answers 503, as `code` does in an answer of a plane."""
RETRY_SECONDS: Final = 60
HSTS_SECONDS: Final = 31_536_000
"""A year: what browsers' preload lists ask for."""
HEALTH: Final[dict[str, Value]] = {"path": "/health", "interval": "10s", "timeout": "5s"}
"""Section 1.4."""
DIAL: Final = "5s"
"""A gateway that is gone answers no connection at all; Traefik's own 30 s would keep a client waiting."""
READ: Final = "3600s"
"""For a whole request with its body. Traefik's own 60 s would cut every upload that takes longer; 500 MB at 1.2 Mbit/s
take an hour."""
IDLE: Final = "180s"
THROTTLE: Final = "100ms"
"""Between two reloads. Traefik's own 2 s is longer than the kill-switch may take."""
RESOLVER: Final = "frostbyte"
SHARED: Final = "edge.yml"
API: Final = f"{CONTROL}.yml"
_HEAD: Final = "Made by Frostbyte's control plane, which puts back what is changed here."
_LOGGED: Final = (
    "StartUTC Duration OriginDuration Overhead RouterName ServiceName DownstreamStatus OriginStatus RequestMethod "
    "RequestContentSize DownstreamContentSize RetryAttempts TLSVersion"
).split()
"""Of a request: no path and no query (they name documents and quote questions), no address, no header."""


class Traefik:
    """See `control_plane.edge.ports.Renderer`."""

    def tenant(self, route: Route, site: Site) -> str:
        """A tenant's file."""
        return emit({"http": _tenant(route, site)}, _HEAD)

    def shared(self, site: Site, pair: Pair | None) -> dict[str, str]:
        """By name, the files that are no tenant's."""
        # No host of ours, no certificate: a client that asks for another name learns nothing.
        tls: dict[str, Value] = {"options": {"default": {"minVersion": "VersionTLS12", "sniStrict": True}}}
        if pair is not None:
            tls["certificates"] = [{"certFile": pair.certificate, "keyFile": pair.key}]
        files = {SHARED: emit({"tls": tls}, _HEAD)}
        if site.api_url:
            files[API] = emit({"http": _api(site)}, _HEAD)
        return files


def startup(site: Site, routes_folder: str) -> str:
    """What Traefik starts with (`--configfile`); it reads this once.

    Args:
        routes_folder: the folder of all other files, as Traefik sees it.
    """
    redirection: Value = {"entryPoint": {"to": "websecure", "scheme": "https", "permanent": True}}
    bounds: Value = {
        "respondingTimeouts": {"readTimeout": READ, "idleTimeout": IDLE},
        "lifeCycle": {"graceTimeOut": "30s"},
    }
    document: dict[str, Value] = {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "entryPoints": {
            "web": {"address": site.web, "http": {"redirections": redirection}},
            "websecure": {"address": site.websecure, "transport": bounds},
            "status": {"address": site.status},
        },
        "providers": {
            "providersThrottleDuration": THROTTLE,
            "file": {"directory": routes_folder, "watch": True},
        },
        "serversTransport": {"forwardingTimeouts": {"dialTimeout": DIAL}},
        "ping": {"entryPoint": "status"},
        "metrics": {"prometheus": {"entryPoint": "status"}},
        "log": {"level": "INFO", "format": "json"},
        "accessLog": {
            "format": "json",
            "fields": {
                "defaultMode": "drop",
                "names": dict.fromkeys(_LOGGED, "keep"),
                "headers": {"defaultMode": "drop"},
            },
        },
    }
    if site.tls is Tls.ACME:
        document["certificatesResolvers"] = {RESOLVER: {"acme": _acme(site)}}
    return emit(document, f"{_HEAD[:-1]} and which Traefik reads at its start alone.")


def _acme(site: Site) -> Value:
    told: dict[str, Value] = {"email": site.acme_email, "storage": site.acme_storage}
    if site.acme_server:
        told["caServer"] = site.acme_server
    return told | ({"dnsChallenge": {"provider": site.acme_dns}} if site.acme_dns else {"tlsChallenge": {}})


def _tenant(route: Route, site: Site) -> dict[str, Value]:
    name = f"tenant-{route.tenant_id}"
    service, named, limit = f"{name}-gateway", f"{name}-named", f"{name}-limit"
    balancer: dict[str, Value] = {"servers": [{"url": route.gateway_url}] if route.gateway_url else []}
    if route.gateway_url:
        balancer["healthCheck"] = HEALTH
    if route.credentials is not None:
        balancer["serversTransport"] = name
    headers: dict[str, Value] = {
        "customRequestHeaders": {TENANT_HEADER: route.tenant_id},
        "stsSeconds": HSTS_SECONDS,
    }
    if route.code:
        headers["customResponseHeaders"] = {CODE_HEADER: route.code, "Retry-After": str(RETRY_SECONDS)}
    document: dict[str, Value] = {
        "routers": {name: _router(route.host, service, (named, limit), site)},
        "middlewares": {named: {"headers": headers}, limit: {"rateLimit": _limit(TENANT_HEADER)}},
        "services": {service: {"loadBalancer": balancer}},
    }
    if route.credentials is not None:
        shown = route.credentials
        document["serversTransports"] = {
            name: {
                "rootCAs": [shown.ca],
                "certificates": [{"certFile": shown.certificate, "keyFile": shown.key}],
                "forwardingTimeouts": {"dialTimeout": DIAL},
            }
        }
    return document


def _limit(header: str) -> Value:
    return {
        "average": REQUESTS_A_MINUTE,
        "period": "1m",
        "burst": BURST,
        "sourceCriterion": {"requestHeaderName": header},
    }


def _router(host: str, service: str, middlewares: tuple[str, ...], site: Site) -> Value:
    tls: dict[str, Value] = {}
    if site.tls is Tls.ACME:
        tls["certResolver"] = RESOLVER
        if site.acme_dns:
            tls["domains"] = [{"main": f"*.{site.domain}"}]
    return {
        "rule": f"Host(`{host}`)",
        "service": service,
        "entryPoints": ["websecure"],
        "middlewares": list(middlewares),
        "tls": tls,
    }


def _api(site: Site) -> dict[str, Value]:
    """The control plane's API limits each of its callers itself (60 a minute), so here nothing is counted."""
    service, named, known = f"{CONTROL}-api", f"{CONTROL}-named", f"{CONTROL}-from"
    middlewares: dict[str, Value] = {named: {"headers": {"stsSeconds": HSTS_SECONDS}}}
    if site.api_from:
        middlewares[known] = {"ipAllowList": {"sourceRange": list(site.api_from)}}
    return {
        "routers": {CONTROL: _router(f"{CONTROL}.{site.domain}", service, tuple(middlewares), site)},
        "middlewares": middlewares,
        "services": {service: {"loadBalancer": {"servers": [{"url": site.api_url}], "healthCheck": HEALTH}}},
    }
