"""Files of a host, over SFTP that runs with root's rights."""

from __future__ import annotations

import asyncio
import posixpath
import stat
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final, cast

import asyncssh
from asyncssh.sftp import start_sftp_client

from frostbyte.control_plane.provisioning.ports import HostFile

PRIVATE: Final = 0o600
PART: Final = ".frostbyte-part"


@asynccontextmanager
async def sftp(connection: asyncssh.SSHClientConnection, server: str) -> AsyncIterator[asyncssh.SFTPClient]:
    """A session with a server program of our choice. sshd's own has the rights of the user who logs in, and asyncssh
    opens only that one; so its client is put upon a command's pipes, as asyncssh puts it upon the subsystem's."""
    writer, reader, _ = await connection.open_session(server, encoding=None)
    session = await start_sftp_client(
        connection, asyncio.get_running_loop(), "strict", reader, writer, "utf-8", "strict", 3
    )
    try:
        yield session
    finally:
        session.exit()
        await session.wait_closed()


async def put_file(session: asyncssh.SFTPClient, file: HostFile) -> None:
    """Written beside its place, readable by root alone until owner and mode are set; durable before it is renamed."""
    folder, name = posixpath.split(file.path)
    part = posixpath.join(folder, f".{name}{PART}")
    owner, group = (int(number) for number in file.owner.split(":"))
    await session.makedirs(folder, exist_ok=True)
    await _unlink(session, part)  # of an attempt that was cut
    flags = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_EXCL
    async with session.open(part, flags, asyncssh.SFTPAttrs(permissions=PRIVATE), encoding=None) as handle:
        await handle.write(file.content)
        await handle.setstat(asyncssh.SFTPAttrs(uid=owner, gid=group))
        await handle.setstat(asyncssh.SFTPAttrs(permissions=file.mode))
        await handle.fsync()
    await session.posix_rename(part, file.path)


async def read_files(session: asyncssh.SFTPClient, folder: str) -> list[HostFile]:
    """Plain files of a folder, by path; a link is none. What an attempt to write has left is passed over."""
    try:
        names = sorted(str(name) for name in await session.listdir(folder))
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
        return []
    found: list[HostFile] = []
    for name in names:
        path = posixpath.join(folder, name)
        told = await session.lstat(path)
        if name.endswith(PART) or told.permissions is None or not stat.S_ISREG(told.permissions):
            continue
        async with session.open(path, asyncssh.FXF_READ, encoding=None) as handle:
            content = cast(bytes, await handle.read())  # no encoding was asked for
        owner = f"{told.uid}:{told.gid}"
        found.append(HostFile(path=path, content=content, mode=stat.S_IMODE(told.permissions), owner=owner))
    return found


async def remove_files(session: asyncssh.SFTPClient, paths: Sequence[str]) -> None:
    """One that is not there is no error."""
    for path in paths:
        await _unlink(session, path)
    await sync_folders(session, paths)


async def sync_folders(session: asyncssh.SFTPClient, paths: Iterable[str]) -> None:
    """Make the names in the folders of these paths durable: a folder is opened and synced like a file."""
    for folder in sorted({posixpath.dirname(path) for path in paths}):
        try:
            async with session.open(folder, asyncssh.FXF_READ, encoding=None) as handle:
                await handle.fsync()
        except asyncssh.SFTPNoSuchFile:
            continue


async def _unlink(session: asyncssh.SFTPClient, path: str) -> None:
    try:
        await session.remove(path)
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
        return
