"""What commands that look at a plane print in the stand-in; tests change a word of it."""

from __future__ import annotations

from typing import Final

CHECKED: Final = """fact\tformat\tfrostbyte-plane-check/1
fact\tversion\t1.0
finding\tok\tmalware_caught\tThe EICAR test file is quarantined.\t-
finding\tok\taudit_intact\t32 events, signed and chained.\t-
checkpoint\t# last event: 2026-03-01T10:00:00Z
checkpoint\tfrostbyte/acme/plane
checkpoint\t32
checkpoint\tcm9vdA==
checkpoint\t
checkpoint\t— frostbyte/acme/plane c2ln
"""
"""What `plane check --lines` prints of a plane that is well, shortened."""
PROBED: Final = """{
  "isolated": true,
  "routes": [],
  "attempts": [
    {
      "way": "tcp",
      "to": "198.51.100.1:443",
      "outcome": "closed",
      "why": "ENETUNREACH",
      "holds": true
    }
  ]
}
"""
"""What `plane probe --json` prints where nothing leads out, shortened."""
VIEWED: Final = "finding\tok\tservices_run\tAll are well.\t-\nfinding\tok\tnetwork_internal\tIt is internal.\t-\n"
