"""The register of projects and tenants."""
