"""Works on what depends on each other: each after what it needs, and what is independent at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait


def in_order(
    keys: Sequence[str], needs: Mapping[str, Collection[str]], work: Callable[[str], bool], *, threads: int
) -> bool:
    """Do `work` for every key, each once all keys that it needs have been worked on.

    Args:
        keys: in an order that can run; among those that are ready it is kept.
        needs: of each key; what is not among the keys is no matter here.
        work: False to begin nothing more. What is under way is waited for.
        threads: how many work at once.

    Returns:
        whether all was done and nothing said False.

    Raises:
        whatever `work` raised first; nothing more is begun then either.
    """
    waiting = {key: set(needs.get(key, ())) & set(keys) for key in keys}
    running: dict[Future[bool], str] = {}
    going, broken = True, None
    with ThreadPoolExecutor(threads, thread_name_prefix="provisioning") as pool:
        while True:
            for key in [key for key, left in waiting.items() if not left] if going else []:
                del waiting[key]
                running[pool.submit(work, key)] = key
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                key = running.pop(future)
                error = future.exception()
                if error is not None:
                    going, broken = False, broken or error
                elif not future.result():
                    going = False
                for left in waiting.values():
                    left.discard(key)
    if broken is not None:
        raise broken
    return going and not waiting
