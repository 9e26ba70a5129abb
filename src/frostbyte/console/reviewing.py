"""What a reviewer's choices are called."""

from __future__ import annotations

from typing import Final

RELEASE: Final = {
    "harmless": "harmless wording",
    "quotation": "a quotation or an example",
    "needed": "known, and needed for work",
}
KEEP: Final = {"attack": "an attack", "unclear": "not clear", "unneeded": "not needed"}
CLASSIFY: Final = {"content": "what it says", "form": "how it is laid out", "known": "where it comes from"}
CLASSES: Final = {
    "contract": "Contract",
    "invoice": "Invoice",
    "sop": "Standard procedure (SOP)",
    "policy": "Policy",
    "correspondence": "Correspondence",
    "legal_filing": "Legal filing",
    "other": "Something else",
}
HELD: Final = {
    "litigation": "Litigation",
    "investigation": "Investigation",
    "regulator": "A regulator asks",
    "audit": "Audit",
    "contract": "Contract",
    "other": "Something else",
}
FREED: Final = {
    "closed": "the matter is closed",
    "withdrawn": "whoever demanded it withdrew",
    "replaced": "another hold takes its place",
    "mistake": "it was placed by mistake",
}
"""Reasons and classes, each by the code that goes into the audit."""
