"""A plane's backup whose objects are read by processes beside it: it holds what one does that reads them itself."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from acceptance.conftest import sample
from acceptance.test_plane_backup import OTHERS, Site
from acceptance.test_plane_import import send
from frostbyte.adapters.objects.beside import HeadsBeside
from frostbyte.bootstrap import vaulting

pytestmark = pytest.mark.slow


def test_what_processes_beside_have_read_is_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vaulting, "HeadsBeside", partial(HeadsBeside, before=0))
    site = Site(tmp_path)
    try:
        for number, content in enumerate(OTHERS[:3]):
            send(site.plane, f"{number}.txt", content)
        send(site.plane, "note.pdf", sample("supplier-note.pdf"))
        taken = site.take()
        assert (taken.documents, taken.stored, taken.missing) == (4, 4, ())
        verdict = site.verify()
        assert verdict.ok, verdict
        assert site.restore(tmp_path / "elsewhere").documents == 4
    finally:
        site.plane.close()
