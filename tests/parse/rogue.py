"""A child that misbehaves as the media type tells it: for tests of the pool, never shipped."""

from __future__ import annotations

import os
import sys
import time

from frostbyte.adapters.children.child import private_pipes, serve
from frostbyte.adapters.children.frames import FRAME_BYTES
from frostbyte.adapters.parsing.requests import decode_request
from frostbyte.adapters.parsing.troubles import TROUBLES
from frostbyte.data_plane.document import Document, Source, encode
from frostbyte.data_plane.parse.plain import text_page
from frostbyte.data_plane.parse.version import lineage


def perform(asked, data, progress):
    request = decode_request(asked)
    mime = request.mime
    if mime == "test/hang":
        time.sleep(600)
    if mime == "test/slow":
        for _ in range(600):
            time.sleep(0.1)
            progress()
    if mime == "test/crash":
        os.abort()
    if mime == "test/exit":
        os._exit(7)
    if mime == "test/memory":
        hoard = []
        while True:
            hoard.append(bytearray(64 << 20))
    if mime == "test/flood":
        return bytes(8 * FRAME_BYTES)
    if mime == "test/nonsense":
        return b"{}"
    if mime == "test/other":
        return b'{"source":{"sha256":"zz","mime":"x","size":1},"lineage":{"parser":"","version":""},"pages":[]}'
    if mime == "test/write":
        with open("/tmp/frostbyte-should-not-exist", "wb") as target:
            target.write(b"content")
    if mime == "test/print":
        print("content on standard output", flush=True)
        print("content on standard error", file=sys.stderr, flush=True)
        os.write(1, b"more")
    if mime == "test/secrets" and any(name.startswith("FROSTBYTE") for name in os.environ):
        os.abort()
    if mime == "test/spin":
        while True:
            pass
    # A plain page made here: loading every parsing library would only make the tests slow.
    return encode(
        Document(
            source=Source(sha256=request.sha256, mime=mime, size=request.size),
            lineage=lineage("rogue"),
            pages=(text_page(data.decode()),),
            pages_found=1,
        )
    )


if __name__ == "__main__":
    serve(*private_pipes(), perform, TROUBLES)
