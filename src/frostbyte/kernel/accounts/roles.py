"""What a person is to a plane or to the control plane, and which scopes that gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from frostbyte.kernel.scopes import Role, Scope

if TYPE_CHECKING:
    from frostbyte.kernel.tokens import Realm

PLANE: Final[Mapping[str, frozenset[Scope]]] = {
    "vendor": frozenset({Scope.INGEST}),
    "user": frozenset({Scope.INGEST, Scope.QUERY}),
    "reviewer": frozenset({Scope.INGEST, Scope.QUERY, Scope.SOURCE, Scope.REVIEW}),
    "auditor": frozenset({Scope.QUERY, Scope.AUDIT}),
    "admin": frozenset(Scope),
}
"""A vendor hands documents over and sees what became of them, and nothing else."""
CONTROL: Final[Mapping[str, frozenset[Role]]] = {role.value: frozenset({role}) for role in Role}
"""At the control plane a role is a scope."""


def roles_of(realm: Realm) -> Mapping[str, frozenset[Scope] | frozenset[Role]]:
    """The roles that people may have in a realm, and what each gives."""
    return PLANE if realm.rights is Scope else CONTROL
