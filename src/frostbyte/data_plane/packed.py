"""Records that are kept as columns and made when somebody asks for them.

A sheet has a million cells, and most of what it would cost to make an object for each is never looked at: the document
is checked, encoded and handed on. What is here is read like a tuple of such records, and is equal to it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from operator import eq
from typing import Any, Generic, TypeVar, overload

T_co = TypeVar("T_co", covariant=True)


class Packed(Sequence[T_co], Generic[T_co]):
    """A tuple of records in all but name; immutable. Whoever makes one gives the columns away."""

    __slots__ = ()

    @abstractmethod
    def __iter__(self) -> Iterator[T_co]:
        """The records, each made anew."""

    @abstractmethod
    def __len__(self) -> int:
        """How many there are."""

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T_co, ...]: ...
    def __getitem__(self, index: int | slice) -> T_co | tuple[T_co, ...]:
        return tuple(self)[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (Packed, tuple)):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def __reduce__(self) -> tuple[type[tuple[Any, ...]], tuple[tuple[T_co, ...]]]:
        return tuple, (tuple(self),)


def plain(value: object) -> object:
    """For encoders: what is packed as the tuple that it stands for.

    Raises:
        NotImplementedError: it is anything else that an encoder does not know.
    """
    if isinstance(value, Packed):
        return tuple(value)
    raise NotImplementedError(type(value).__name__)
