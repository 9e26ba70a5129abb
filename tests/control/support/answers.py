"""What hosts answer: one that is well, and one that tells what it must not."""

from __future__ import annotations

CANARY = "Kanari-7x Vogel.pdf"
IMAGE = "sha256:" + "5" * 64
HOST = f"""\
host\tkernel\t6.1.0-28-amd64
host\tmachine\tx86_64
host\tprocessors\t4
host\tload\t0.10\t1.20\t12.05
host\tup_seconds\t86400
host\tclock\t2026-03-02T09:00:00Z
memory\tMemTotal\t8000000
disk\troot\t38000\t20000\t44%\t2400000
disk\tvolume\t100000\t20000\t80%\t-
docker\tversion\t20.10.24+dfsg1
docker\tcompose\t2.26.1
docker\tdriver\toverlay2
docker\timages\t7
service\tpostgres\trunning\thealthy\t0\t2\tfalse\t2026-03-01T09:00:00.123456789Z\t{IMAGE}
service\tcelery-worker\texited\t-\t137\t0\ttrue\t2026-03-01T09:00:00Z\t{IMAGE}
uses\tfrostbyte-acme-postgres-1\t0.55%\t12.5%\t9
plane\t{{
plane\t"upkeep": "open",
plane\t"leases": 3
plane\t}}
"""
HOSTILE = f"""\
host\tkernel\t{CANARY}
host\tkernel\t6.1.0\t{CANARY}
host\t{CANARY}\t4
{CANARY}\thost\t4
host\tload\t0.1\t{CANARY}\t1
memory\tMemTotal\t80 {CANARY}
disk\troot\t1\t2\t3%\t{CANARY}
docker\tversion\tsilent {CANARY}
service\t{CANARY}\trunning\thealthy\t0\t2\tfalse\t2026-03-01T09:00:00Z\t{IMAGE}
service\tpostgres\t{CANARY}\thealthy\t0\t2\tfalse\t2026-03-01T09:00:00Z\t{IMAGE}
service\tpostgres\trunning\thealthy\t0\t2\tfalse\t2026-03-01T09:00:00Z\t{CANARY}
uses\t{CANARY}\t0.55%\t12.5%\t9
plane\t"upkeep": "{CANARY}",
plane\t"{CANARY}": "open"
plane
{CANARY}
"""
LOG = f"""\
{{"event": "stage_failed", "code": "archive_bomb", "stage": "parse"}}
{{"event": "stage_failed", "filename": "{CANARY}"}}
3 lines are not shown: error=1
  no_space 1
ERROR: duplicate key ({CANARY})
"""
