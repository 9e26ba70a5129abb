"""The console's rooms, a router each."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from frostbyte.api.data.console import (
    audit,
    batches,
    documents,
    holds,
    oidc,
    overview,
    passages,
    people,
    review,
    search,
    uploads,
    webhooks,
)

PAGES: Final[tuple[APIRouter, ...]] = (
    overview.router,
    oidc.router,
    uploads.router,
    batches.router,
    documents.router,
    review.router,
    audit.router,
    holds.router,
    webhooks.router,
    people.router,
)
READING: Final[tuple[APIRouter, ...]] = (search.router, passages.router)
"""Those that ask what answers questions: where that runs apart, the gateway passes them on."""
