"""Answers as OpenAPI shows them. A test holds them to what the routes really answer."""

from __future__ import annotations

import json
from typing import Any, Final

PROJECT: Final[dict[str, Any]] = {
    "project_id": "eu-1",
    "environment": "production",
    "created_at": "2026-03-02T09:00:00.000000Z",
}
PROJECTS: Final[dict[str, Any]] = {"projects": [PROJECT], "cursor": None}
TENANT: Final[dict[str, Any]] = {
    "tenant_id": "acme",
    "project_id": "eu-1",
    "state": "ACTIVE",
    "failed": None,
    "version": 3,
    "config_version": 1,
    "octet": 1,
    "network": "10.1.0.0/16",
    "standing_version": 1,
    "possible": ["deprovision", "suspend"],
    "standing": {"acknowledged_version": 1, "acknowledged_at": "2026-03-02T09:05:03.120000Z", "code": None},
    "created_at": "2026-03-02T09:01:00.000000Z",
    "updated_at": "2026-03-02T09:05:03.000000Z",
}
TENANTS: Final[dict[str, Any]] = {"tenants": [TENANT], "cursor": None}
OPERATION_ROW: Final[dict[str, Any]] = {
    "operation_id": "01990000-0000-7000-8000-0000000000d1",
    "tenant_id": "acme",
    "kind": "suspend",
    "status": "running",
    "actor": "ann",
    "reason": "payment",
    "started_at": "2026-03-02T09:07:00.000000Z",
    "ended_at": None,
    "code": None,
    "request": {},
}
STEP: Final[dict[str, Any]] = {
    "number": 1,
    "step": "registry_committed",
    "status": "succeeded",
    "code": None,
    "at": "2026-03-02T09:07:00.000000Z",
    "facts": {},
}
OPERATION: Final[dict[str, Any]] = OPERATION_ROW | {"steps": [STEP]}
FLEET: Final[dict[str, Any]] = {
    "version": "1.4.0",
    "tenants": [
        {
            "tenant_id": "acme",
            "project_id": "eu-1",
            "state": "ACTIVE",
            "release": "1.3.2",
            "duty": None,
            "updated": None,
        }
    ],
    "cursor": None,
}
OPERATIONS: Final[dict[str, Any]] = {"operations": [OPERATION_ROW], "cursor": None}
ONE_TENANT: Final[dict[str, Any]] = TENANT | {
    "endpoints": {
        "gateway_url": "https://10.1.1.2:8080",
        "channel_url": "https://10.1.1.2:8443",
        "log_key": "frostbyte/acme/plane+5ccd7a25+AV7b6zYVyPJqZcE1lXJx0qW6hWnRjZr0O3R2T9mG0uQ1",
        "registered_at": "2026-03-02T09:05:00.000000Z",
    },
    "operation": OPERATION_ROW,
}
CONFIG: Final[dict[str, Any]] = {
    "tenant_id": "acme",
    "version": 1,
    "values": {"pii_policy": "redact", "top_k": 5},
    "actor": "ann",
    "created_at": "2026-03-02T09:01:00.000000Z",
}
TOKEN: Final[dict[str, Any]] = {
    "token": "eyJ0eXAiOiJKV1QiLCJraWQiOiIuLi4ifQ.eyJzdWIiOiJib2IifQ.c2lnbmF0dXJl",
    "jti": "01990000-0000-7000-8000-0000000000e1",
    "subject": "bob",
    "scopes": ["operator", "viewer"],
    "expires_at": "2026-03-02T10:07:00.000000Z",
}
API_KEY: Final[dict[str, Any]] = {
    "key_id": "3kTMd9rYwQ2b",
    "name": "billing",
    "scopes": ["viewer"],
    "created_by": "ann",
    "created_at": "2026-03-02T09:07:00.000000Z",
    "expires_at": None,
    "last_used_at": "2026-03-02T09:09:00.000000Z",
    "revoked_at": None,
}
NEW_API_KEY: Final[dict[str, Any]] = (
    {"key": "fbk_3kTMd9rYwQ2b_(43 letters and digits)"} | API_KEY | {"last_used_at": None}
)
API_KEYS: Final[dict[str, Any]] = {"api_keys": [API_KEY], "cursor": None}
ACCOUNT: Final[dict[str, Any]] = {
    "account_id": "019ac000-0000-7000-8000-000000000001",
    "name": "ann@example.org",
    "role": "operator",
    "state": "invited",
    "link_until": "2026-03-04T09:00:00.000000Z",
    "created_at": "2026-03-02T09:00:00.000000Z",
    "created_by": "local-operator",
    "changed_at": "2026-03-02T09:00:00.000000Z",
}
NEW_ACCOUNT: Final[dict[str, Any]] = ACCOUNT | {"link": "/console/set-up#(43 letters and digits)"}
ACCOUNTS: Final[dict[str, Any]] = {"accounts": [ACCOUNT], "cursor": None}
SIGNING_KEY: Final[dict[str, Any]] = {
    "kid": "72be46f4f8fd0d71",
    "key": "ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    "state": "current",
    "since": "2026-03-02T09:00:00.000000Z",
}
KEYS: Final[dict[str, Any]] = {"keys": [SIGNING_KEY]}
ROTATED: Final[dict[str, Any]] = {
    "keys": [
        SIGNING_KEY,
        {
            "kid": "1f0c2d6a9be83d45",
            "key": "ed25519:PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw",
            "state": "previous",
            "accepted_until": "2026-04-01T09:00:00.000000Z",
        },
    ]
}
STREAM: Final = f"id: 1\nevent: step\ndata: {json.dumps(STEP)}\n\nevent: done\ndata: {{...}}\n\n"
LOGS: Final[dict[str, Any]] = {
    "witness_key": "frostbyte/control/production/ledger+2f6b1c0a+BEm4Yt7...",
    "trouble": None,
    "logs": [
        {
            "tenant_id": "acme",
            "log_key": "frostbyte/acme/plane+5d1e9c3b+AQm4Yt7...",
            "size": 51200,
            "plane_size": 51200,
            "lag_seconds": 3.2,
            "heard_at": "2026-03-02T09:07:03.120000Z",
            "finding": None,
            "code": None,
        }
    ],
    "cursor": None,
}
LEDGER_EVENTS: Final[dict[str, Any]] = {
    "events": [
        {
            "log": 1,
            "sequence": 0,
            "event": {
                "event_id": "01990000-0000-7000-8000-0000000000e0",
                "tenant_id": "acme",
                "type": "DOCUMENT_INGESTED",
                "timestamp": "2026-03-02T09:05:00.000000Z",
                "actor": "vendor",
                "resource_type": "document",
                "resource_id": "8a000000-0000-8000-8000-000000000001",
                "details": {"status": "ok"},
                "previous_event_id": None,
            },
        }
    ],
    "cursor": "1.0",
}
_ALERT: Final[dict[str, Any]] = {
    "alert_id": "01990000-0000-7000-8000-0000000000e1",
    "tenant_id": "acme",
    "finding": "fork",
    "stops": True,
    "size": 51200,
    "position": 40210,
    "message": "event 40210 is not what it was when its history was cosigned",
    "raised_at": "2026-03-02T09:07:03.120000Z",
    "ended_at": None,
    "ended_by": None,
    "reason": None,
}
LEDGER_ALERTS: Final[dict[str, Any]] = {"alerts": [_ALERT], "cursor": None}
LEDGER_ALERT: Final[dict[str, Any]] = _ALERT | {"evidence": "both signed notes\n--\nboth lines\n"}
ACKNOWLEDGED: Final[dict[str, Any]] = _ALERT | {
    "stops": False,
    "ended_at": "2026-03-02T10:00:00.000000Z",
    "ended_by": "ann",
    "reason": "looked_into",
}
PLAN: Final[dict[str, Any]] = {
    "tenant_id": "acme",
    "project_id": "eu-1",
    "request": {
        "shape": "small",
        "workers": 1,
        "locations": ["nbg1", "fsn1"],
        "types": {},
        "volume_gb": 0,
        "egress": [],
        "encrypted": True,
        "reuse_volume": False,
        "release": "",
    },
    "steps": [
        {
            "step": "network",
            "action": "network",
            "name": "fb-acme-network",
            "needs": [],
            "row": 2,
            "standing": "new",
            "monthly": None,
        },
        {
            "step": "server.single",
            "action": "server",
            "name": "fb-acme-single",
            "needs": ["firewall"],
            "row": 4,
            "standing": "new",
            "monthly": "17.99",
        },
    ],
    "monthly": "24.59",
    "currency": "EUR",
    "warnings": [],
    "problems": [],
    "changes": [],
    "surplus": [],
    "servers": [
        {
            "host": "single",
            "role": "single",
            "type": "cx53",
            "location": "nbg1",
            "country": "DE",
            "architecture": "x86",
            "memory_mb": 32768,
            "needed_mb": 30592,
            "usable_mb": 30618,
            "public": True,
            "kept": False,
            "monthly": "17.49",
            "otherwise": ["cpx62 in nbg1", "ccx33 in nbg1", "cx53 in fsn1", "cpx62 in fsn1", "ccx33 in fsn1"],
            "refused": [
                {"type": "cax41", "location": "nbg1", "why": "no_image"},
                {"type": "cax41", "location": "fsn1", "why": "no_image"},
            ],
        }
    ],
    "residency": {"locations": ["nbg1", "fsn1"], "countries": ["DE"], "zone": "eu-central"},
    "costs": [{"step": "server.single", "monthly": "17.99"}],
    "seconds": 128.0,
    "shape": "small",
    "hostname": "acme.pipeline.frostbyte.io",
    "network": {"cidr": "10.1.0.0/16", "subnet": "10.1.1.0/24"},
    "addresses": {"single": "10.1.1.10"},
    "volume_gb": 150,
    "volume_encrypted": True,
    "egress": [],
}
DRIFT: Final[dict[str, Any]] = {
    "tenant_id": "acme",
    "differences": [
        {
            "what": "changed",
            "kind": "server",
            "name": "fb-acme-db",
            "step": "server.db",
            "field": "type",
            "expected": "cx43",
            "found": "cx53",
            "mended": False,
            "words": "Somebody changed its type. Name the type that it is to have: frostbyte tenant scale.",
        }
    ],
}
RESOURCES: Final[dict[str, Any]] = {
    "tenant_id": "acme",
    "resources": [
        {
            "step": "server.db",
            "kind": "server",
            "name": "fb-acme-db",
            "state": "done",
            "resource_id": "42",
            "attempts": 1,
            "code": None,
            "changed_at": "2026-03-02T09:05:03.000000Z",
        }
    ],
}
IMPORTED: Final[dict[str, Any]] = {"identical": 51200, "added": 800, "size": 52000, "finding": None}

BACKUPS: Final[dict[str, Any]] = {
    "on": True,
    "snapshot": "20260302T090700Z-1d0a3f5e",
    "good_at": "2026-03-02T09:07:00.000000Z",
    "age_seconds": 412.0,
    "failed": 0,
    "code": None,
}
TENANT_BACKUPS: Final[dict[str, Any]] = {
    "hours": 24.0,
    "backups": [
        {
            "operation_id": "01990000-0000-7000-8000-0000000000d1",
            "started_at": "2026-03-02T09:07:00.000000Z",
            "actor": "schedule",
            "code": None,
            "snapshot": "20260302T090700Z-1d0a3f5e",
            "documents": 1204,
            "bytes": 88211034,
            "written": 48211,
            "seconds": 2.1,
            "trial_seconds": 1.4,
        }
    ],
}
BACKUP_TAKEN: Final[dict[str, Any]] = {
    "snapshot": "20260302T090700Z-1d0a3f5e",
    "taken_at": "2026-03-02T09:07:00.000000Z",
    "written": 48211,
    "size": 2210442,
    "private": 41,
    "forgotten": 0,
    "verdict": {"ok": True, "code": None, "seconds": 1.4, "trial": "loaded"},
}


def answer(example: dict[str, Any], status: int = 200) -> dict[int | str, dict[str, Any]]:
    """The part of a route's `responses` that shows what it answers."""
    content = {"application/json": {"schema": {"type": "object"}, "example": example}}
    return {status: {"description": "The answer", "content": content}}


WELL = {
    "tenant_id": "acme",
    "project_id": "eu-1",
    "state": "ACTIVE",
    "level": "warn",
    "reasons": [
        {
            "level": "warn",
            "code": "storage_full",
            "message": "84% of the storage quota is used.",
            "runbook": "docs/runbooks/control.md#storage-is-nearly-full",
        }
    ],
    "edge_status": 200,
    "acknowledged": True,
    "answered_seconds": 4.1,
    "channel_code": None,
    "ledger_seconds": 2.0,
    "ledger_lag_events": 0,
    "gateway_ready": True,
    "stored_bytes": 84_000_000_000,
    "quota_bytes": 100_000_000_000,
    "oldest_job_seconds": None,
    "signatures_age_seconds": 7200.0,
    "signatures_limit_seconds": 604800.0,
    "signatures_trouble": None,
    "intake_refused": None,
    "backup_seconds": None,
    "certificate_seconds": 17_280_000.0,
    "model": "nomic-embed-text-v1.5",
    "version": "0.1.0",
    "stand_ins": [],
    "alerts": [],
}
HEALTH = {
    "level": "warn",
    "counts": {"ok": 0, "warn": 1, "critical": 0},
    "age_seconds": 6.2,
    "tenants": [WELL],
    "cursor": None,
}
RECEIPT = {
    "state": "pending",
    "receipt": {
        "receipt_id": "01990000-0000-7000-8000-0000000000e1",
        "environment": "production",
        "project_id": "eu-1",
        "tenant_id": "acme",
        "operation_id": "01990000-0000-7000-8000-0000000000d1",
        "began_at": "2026-03-02T09:07:00.000000Z",
        "issued_at": "2026-03-02T09:09:00.000000Z",
        "data": "destroyed",
        "resources": [{"kind": "server", "name": "fb-acme-db", "id": "42", "at": "2026-03-02T09:08:41.000000Z"}],
        "kept": [],
        "stores": [{"what": "database: seen to be empty", "at": "2026-03-02T09:08:01.000000Z"}],
        "keys": [{"what": "secrets.sops.json", "at": "2026-03-02T09:08:50.000000Z"}],
        "certificates": [{"what": "ca.key", "at": "2026-03-02T09:08:51.000000Z"}],
        "logs": [],
        "handed_out": {"sources": 0, "last_at": ""},
        "recovery": ["age1lq9mz58yuqv5ct2zgm8w0lpdlyr3jhxj2l8l9zn3zpw6ckuzcvxs8f7vhd"],
    },
    "confirmation": None,
    "notes": ["frostbyte/destruction-receipt/1\n{...}\n\n\u2014 frostbyte/control/production 3qq...\n"],
    "key": "frostbyte/control/production+5ccd7a25+AV7b6zYVyPJqZcE1lXJx0qW6hWnRjZr0O3R2T9mG0uQ1",
}
_ORPHAN = {
    "key": "server/4711",
    "kind": "server",
    "name": "fb-acme-db",
    "project_id": "eu-1",
    "tenant_id": "acme",
    "run_id": "01990000-0000-7000-8000-0000000000d1",
    "created_at": "2026-03-02T09:07:00+00:00",
}
ORPHANS = {
    "orphans": [_ORPHAN],
    "left": [{**_ORPHAN, "key": "volume/4712", "kind": "volume", "name": "fb-acme-data", "why": "data"}],
    "owned": 12,
    "blind": [{"project_id": "eu-2", "code": "cloud_token_missing"}],
}
REMOVED = {"removals": [{"key": "server/4711", "code": None}], "blind": []}

HISTORY: Final[dict[str, Any]] = {
    "tenant_id": "acme",
    "lines": [
        {
            "at": "2026-03-02T09:07:00.000000Z",
            "sentence": "ann suspended it (payment).",
            "of": "TENANT_SUSPENDED",
            "id": "01990000-0000-7000-8000-0000000000f1",
            "code": None,
        }
    ],
    "plane_told": True,
    "before": None,
}
SUPPORT: Final[dict[str, Any]] = {
    "collected_at": "2026-03-02T09:07:00.000000Z",
    "version": "1.0.0",
    "sections": [{"title": "Alarms that ring", "lines": ["alarm acme standing_behind since 2026-03-02T09:06:00Z"]}],
}
HOSTS: Final[dict[str, Any]] = {
    "tenant_id": "acme",
    "hosts": [
        {
            "name": "fb-acme-gateway",
            "address": "203.0.113.7",
            "port": 22,
            "user": "frostbyte",
            "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH0dEHYtkMbQ8Q7zvBOe0rY8nnDqyMNmcpYQpmtWdvKz",
            "via": [],
            "between": False,
        }
    ],
}
SUPPLIES: Final[dict[str, Any]] = {
    "supplies": [
        {
            "supply_id": "2026-03-02-0f3a9c1d2e4b",
            "created_at": "2026-03-02T06:00:00Z",
            "parts": ["signatures"],
            "signatures_made_at": "2026-03-02T04:12:00Z",
            "packages": [],
            "version": None,
        }
    ]
}
DELIVERY: Final[dict[str, Any]] = {
    "round_id": "01990000-0000-7000-8000-0000000000e1",
    "kind": "refresh",
    "request": {"supply": "2026-03-02-0f3a9c1d2e4b", "parts": [], "older": False},
    "status": "running",
    "code": None,
    "stopped_at": None,
    "actor": "ann",
    "reason": "requested",
    "started_at": "2026-03-02T09:07:00.000000Z",
    "ended_at": None,
    "soak_seconds": 60,
    "tenants": [
        {
            "tenant_id": "acme",
            "status": "running",
            "code": None,
            "operation_id": "01990000-0000-7000-8000-0000000000d1",
        },
        {"tenant_id": "beta", "status": "waiting", "code": None, "operation_id": None},
    ],
}
DELIVERIES: Final[dict[str, Any]] = {"deliveries": [DELIVERY]}
