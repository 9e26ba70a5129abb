"""A tenant's configuration: what a plane may accept and how it judges. Versioned; every chunk names its version."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.formats import FORMATS
from frostbyte.kernel.ports.unit_of_work import Configs
from frostbyte.kernel.webhooks.addresses import MOST_HOSTS, places


class PiiPolicy(StrEnum):
    """What happens to PII of the configured types."""

    REDACT = "redact"
    FLAG = "flag"
    BLOCK = "block"


class PiiType(StrEnum):
    """What the PII gate can look for. The last ones are German identifiers."""

    SSN = "SSN"
    DOB = "DOB"
    EMAIL = "EMAIL"
    PHONE = "PHONE"
    NAME = "NAME"
    ADDRESS = "ADDRESS"
    MEDICAL_RECORD = "MEDICAL_RECORD"
    FINANCIAL_ACCOUNT = "FINANCIAL_ACCOUNT"
    PASSPORT = "PASSPORT"
    DRIVERS_LICENSE = "DRIVERS_LICENSE"
    DE_TAX_ID = "DE_TAX_ID"
    DE_SOCIAL_SECURITY = "DE_SOCIAL_SECURITY"
    DE_ID_CARD = "DE_ID_CARD"
    DE_HEALTH_INSURANCE = "DE_HEALTH_INSURANCE"


Ratio = Annotated[float, Meta(ge=0.0, le=1.0)]


class TenantConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of a tenant's configuration; the defaults are the design's."""

    pii_policy: PiiPolicy = PiiPolicy.REDACT
    pii_types: tuple[PiiType, ...] = (PiiType.SSN, PiiType.DOB, PiiType.EMAIL)
    classification_threshold: Ratio = 0.7
    injection_flag: Ratio = 0.3
    injection_withhold: Ratio = 0.7
    max_file_size_mb: Annotated[int, Meta(ge=1, le=10_000)] = 500
    max_batch_size: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    storage_quota_gb: Annotated[int, Meta(ge=1, le=1_000_000)] = 100
    top_k: Annotated[int, Meta(ge=1, le=50)] = 5
    top_k_max: Annotated[int, Meta(ge=1, le=50)] = 50
    signatures_max_age_days: Annotated[int, Meta(ge=0, le=3650)] = 100
    """Above it nothing is taken or called clean; 0 for no limit. Whoever carries signatures in by hand every quarter
    has some days to spare; where a control plane pushes them daily, 7 is a good limit."""
    retention_days: Annotated[int, Meta(ge=1, le=36_500)] = 2555
    mime_allowlist: tuple[str, ...] = tuple(FORMATS)
    webhook_hosts: Annotated[tuple[str, ...], Meta(max_length=MOST_HOSTS)] = ()
    """Servers that may be told when a batch has ended: `host`, or `host:port` where it is not 443; none by default."""

    def check(self) -> TenantConfig:
        """Return self if its values fit together.

        Raises:
            Invalid: `config_invalid`, naming the setting.
        """
        if self.injection_flag > self.injection_withhold:
            raise Invalid("config_invalid", "injection_flag lies above injection_withhold.", "Lower injection_flag.")
        unknown = [m for m in self.mime_allowlist if m not in FORMATS]
        if unknown or not self.mime_allowlist:
            raise Invalid(
                "config_invalid",
                "mime_allowlist names a type that cannot be read.",
                f"Choose from {', '.join(FORMATS)}.",
            )
        if self.top_k > self.top_k_max:
            raise Invalid("config_invalid", "top_k lies above top_k_max.", "Lower top_k.")
        if len(places(self.webhook_hosts)) < len(self.webhook_hosts):
            raise Invalid(
                "config_invalid",
                "webhook_hosts names something that is no server's name.",
                "Write hooks.example, or hooks.example:8443: in lower case, no numeric address, no path.",
            )
        return self


def config_from(values: dict[str, object], base: TenantConfig | None = None) -> TenantConfig:
    """A checked configuration: `base` (default: the defaults) with `values` laid over it.

    Raises:
        Invalid: `config_invalid`, saying which setting is unknown or out of range.
    """
    merged = msgspec.to_builtins(base or TenantConfig()) | values
    try:
        return msgspec.convert(merged, TenantConfig, strict=False).check()
    except msgspec.ValidationError as error:
        raise Invalid(
            "config_invalid", f"The configuration is not valid: {error}.", "Correct the setting named."
        ) from error


class Versions:
    """Configurations that were read once: no version is ever changed, and every job asks for one."""

    def __init__(self) -> None:
        self._known: dict[int, TenantConfig] = {}

    def read(self, configs: Configs, version: int) -> TenantConfig:
        """The configuration of this version; the defaults where there is none."""
        found = self._known.get(version)
        if found is None:
            row = configs.get(version)
            found = config_from(row.values if row else {})
            if row is not None:
                self._known[version] = found
        return found


def read_config(data: bytes) -> TenantConfig:
    """A configuration from JSON, as far as it differs from the defaults.

    Raises:
        Invalid: `config_invalid`.
    """
    try:
        values = msgspec.json.decode(data)
    except msgspec.DecodeError:
        values = None
    if not isinstance(values, dict):
        raise Invalid("config_invalid", "The tenant's configuration is no JSON object.", 'Write it as {"top_k": 5}.')
    return config_from(values)
