"""`frostbyte plane`: what is done to a plane from inside it, by the scripts of an offline bundle or by hand."""

from __future__ import annotations

from frostbyte.cli import plane_backup, plane_check, plane_export, plane_host, plane_models, plane_probe, plane_upkeep
from frostbyte.cli.options import group

app = group("A plane from inside: is it as it should be; what leads out of it; stand still for an update, and go on.")
app.command("check")(plane_check.check)
app.command("containers")(plane_host.containers)
app.command("digests")(plane_host.digests)
app.command("logs")(plane_host.logs)
app.command("probe")(plane_probe.probe)
app.command("status")(plane_upkeep.status)
app.command("close")(plane_upkeep.close)
app.command("drain")(plane_upkeep.drain)
app.command("freeze")(plane_upkeep.freeze)
app.command("open")(plane_upkeep.open_)
app.command("migrate")(plane_upkeep.migrate)
app.command("verify")(plane_upkeep.verify)
app.add_typer(plane_upkeep.snapshot, name="snapshot")
app.command("export")(plane_export.export)
app.command("export-check")(plane_export.export_check)
app.command("export-list")(plane_export.export_list)
app.add_typer(plane_backup.app, name="backup")
app.add_typer(plane_models.app, name="models")
