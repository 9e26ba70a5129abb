"""A tenant's stores, isolated from every other tenant's: provisioned, verified, destroyed."""

from frostbyte.deploy.storage.folder import SecretFolder
from frostbyte.deploy.storage.report import Finding, Outcome, Report
from frostbyte.deploy.storage.tenants import decoy_of, destroy, provision, verify

__all__ = ["Finding", "Outcome", "Report", "SecretFolder", "decoy_of", "destroy", "provision", "verify"]
