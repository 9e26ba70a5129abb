"""A Redis with a password, in memory alone: killed, it has lost everything, as the worst case has it."""

from __future__ import annotations

from pathlib import Path

from servers.lanes import program
from servers.process import ServerProcess, free_port, listens

PASSWORD = "test-redis-Kq81vXz04"


class RedisServer(ServerProcess):
    """`url` is the administrator's."""

    def __init__(self, folder: Path, *, options: tuple[str, ...] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        binary = program("redis-server")
        assert binary is not None
        # The administrator is a named user: the default user of an installation guide is off.
        conf = folder / "redis.conf"
        conf.write_text(
            f'port {self.port}\nbind 127.0.0.1\ndir "{folder}"\nsave ""\nappendonly no\n'
            f"user admin on >{PASSWORD} ~* &* +@all\nuser default off\n"
        )
        command = [binary, str(conf), *options]
        super().__init__("redis", command, folder=folder, ready=lambda: listens(self.port))

    @property
    def url(self) -> str:
        return f"redis://admin:{PASSWORD}@127.0.0.1:{self.port}/0"
