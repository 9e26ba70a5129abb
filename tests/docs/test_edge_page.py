"""docs/edge.md shows the file that the code writes, and says everything that can be set."""

from __future__ import annotations

import re
from pathlib import Path

from frostbyte.control_plane.edge import settings
from frostbyte.control_plane.edge.routes import Route, Site
from frostbyte.deploy.traefik import Traefik

PAGE = (Path(__file__).parents[2] / "docs/edge.md").read_text(encoding="utf-8")


def test_the_example_is_what_is_written() -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    site = Site(domain="pipeline.frostbyte.io")
    route = Route(tenant_id="acme", domain=site.domain, gateway_url="http://10.7.1.2:8080")
    assert shown == Traefik().tenant(route, site)


def test_every_setting_is_said() -> None:
    source = Path(settings.__file__).read_text(encoding="utf-8")
    names = set(re.findall(r'"CONTROL_EDGE_([A-Z_]+)"', source))
    assert len(names) > 8
    for name in names - {"TLS"}:
        assert f"`_{name}`" in PAGE, name
