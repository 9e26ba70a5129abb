"""Shared pieces of the policy tests: rules loaded once, small documents, a random document strategy."""

from __future__ import annotations

from uuid import UUID

import pytest

from frostbyte.data_plane import policy
from frostbyte.data_plane.chunking import Cutting
from frostbyte.data_plane.document import Document, Lineage, Page, Source
from frostbyte.kernel.tenancy import TenantConfig, config_from

DOC = UUID("8f14e45f-ceea-867a-9a36-dedd4bea2543")


class Clearing:
    """Clears documents with the shipped rules."""

    def __init__(self, rules: policy.RuleSet) -> None:
        self.rules = rules

    def __call__(
        self,
        document: Document | str,
        names: policy.NameFinder | None = None,
        cutting: Cutting = Cutting(),
        **config: object,
    ) -> policy.Cleared:
        """Clear a document, or a text as a document of one page."""
        return policy.clear(
            text_document(document) if isinstance(document, str) else document,
            doc_id=DOC,
            generation="g0",
            config=config_from(config) if config else TenantConfig(),
            config_version=3,
            rules=self.rules,
            names=names,
            cutting=cutting,
        )


def text_document(*pages: str, **fields: object) -> Document:
    """A document with these pages' texts and no elements."""
    return document_of(*(Page(number=n, text=text) for n, text in enumerate(pages, 1)), **fields)


def document_of(*pages: Page, **fields: object) -> Document:
    """A document of these pages."""
    return Document(
        source=Source(sha256="00" * 32, mime="text/plain", size=1),
        lineage=Lineage(parser="test", version="1"),
        pages=pages,
        **({"pages_found": len(pages)} | fields),  # type: ignore[arg-type]
    )


@pytest.fixture(scope="session")
def rules() -> policy.RuleSet:
    return policy.RuleSet.load()


@pytest.fixture(scope="session")
def clear(rules: policy.RuleSet) -> Clearing:
    return Clearing(rules)


@pytest.fixture(scope="session")
def make_document() -> object:
    return document_of


@pytest.fixture(scope="session")
def make_text_document() -> object:
    return text_document
