"""What is sent to give somebody a token or a machine a key: the same at a plane and at the control plane."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final, Generic, TypeVar

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from frostbyte.kernel.tokens import LONGEST

R = TypeVar("R", bound=StrEnum)
_SUBJECT: Final = r"^[A-Za-z0-9][A-Za-z0-9._@-]*$"
_TEN_YEARS: Final = 10 * 366 * 86_400

KeyId = Annotated[str, Path(pattern=r"^[0-9A-Za-z]{12}$", description="The key's id, which stands in the key")]


class TokenRequest(BaseModel, Generic[R]):
    """A token to be made."""

    model_config = ConfigDict(extra="forbid")
    subject: str = Field(min_length=1, max_length=100, pattern=_SUBJECT)
    scopes: list[R] = Field(min_length=1, max_length=10)
    ttl_seconds: int = Field(default=3600, ge=1, le=int(LONGEST.total_seconds()))

    @property
    def lifetime(self) -> timedelta:
        """How long it shall live."""
        return timedelta(seconds=self.ttl_seconds)


class ApiKeyRequest(BaseModel, Generic[R]):
    """A key for a machine. Keys of one name are one subject, so that a new one can take over from an old one."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=100, pattern=_SUBJECT)
    scopes: list[R] = Field(min_length=1, max_length=10)
    ttl_seconds: int | None = Field(default=None, ge=1, le=_TEN_YEARS)
    """None: until it is revoked."""

    @property
    def lifetime(self) -> timedelta | None:
        """How long it shall live."""
        return None if self.ttl_seconds is None else timedelta(seconds=self.ttl_seconds)


class AccountRequest(BaseModel):
    """An account of a person."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=100)
    role: str = Field(min_length=1, max_length=40)


class RoleRequest(BaseModel):
    """Another role for an account."""

    model_config = ConfigDict(extra="forbid")
    role: str = Field(min_length=1, max_length=40)


class RotationRequest(BaseModel):
    """A new key that signs tokens."""

    model_config = ConfigDict(extra="forbid")
    retire_old: bool = False
    """Accept no token of any older key from now on, because somebody else may have it."""
    force: bool = False
    """Also where planes have not heard of the new key: they believe nothing more from this control plane."""


class RetirementRequest(BaseModel):
    """The end of the key before the one that signs."""

    model_config = ConfigDict(extra="forbid")
    force: bool = False
    """See RotationRequest."""
