"""Names in a bundle's folder. The scripts know them too (scripts/lib.sh), and a test compares the two."""

from __future__ import annotations

from typing import Final

MANIFEST: Final = "MANIFEST.json"
TABLE: Final = "MANIFEST.tsv"
"""The manifest once more, for scripts that have no reader of JSON. `manifest.table` makes it; a check compares them."""
SUMS: Final = "SHA256SUMS"
"""Of every other file but itself and its signature, as `sha256sum` writes them, sorted by path."""
SIGNATURE: Final = "SHA256SUMS.sig"
NAMESPACE: Final = "frostbyte-bundle"
"""Of the signature (`ssh-keygen -Y -n`): one made for another purpose is none."""
SBOM: Final = "sbom.cdx.json"
COMPOSE: Final = "docker-compose.yml"
ENV_EXAMPLE: Final = ".env.example"
CONFIG: Final = "config"
TENANT: Final = "config/tenant.json"
POLICY: Final = "config/policy"
IMAGES: Final = "images"
MODELS: Final = "models"
EMBEDDER_MODEL: Final = "models/nomic-embed-text-v1.5/model.gguf"
SIGNATURES: Final = "models/clamav"
SCRIPTS: Final = "scripts"
MIGRATIONS: Final = "migrations"
LICENCES: Final = "licences"
README: Final = "README.md"


def folder_name(version: str) -> str:
    """The folder of a bundle of a version (without the leading v)."""
    return f"frostbyte-offline-bundle-v{version}"
