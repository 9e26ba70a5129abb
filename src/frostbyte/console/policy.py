"""What a browser lets a page of the console do."""

from __future__ import annotations

from typing import Final

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Content-Security-Policy of every page: nothing inline, nothing from elsewhere, and no script makes HTML out of a
string, should a value ever escape its escaping (https://www.w3.org/TR/CSP3/, https://www.w3.org/TR/trusted-types/)."""
