"""Steps of operations in words, for a terminal and for pages alike. Pure."""

from __future__ import annotations

from typing import Final

UNDO: Final = "undo."
"""Before the name of a step that is taken away."""
SAID: Final = {
    "registry_committed": "decided and written down",
    "hosts_ready": "its hosts are made",
    "resources_gone": "everything that was made for it is gone",
    "edge_closed": "the edge refuses its requests",
    "edge_prepared": "the edge knows it",
    "edge_opened": "the edge lets its requests through",
    "plane_answered": "its plane answers",
    "plane_recognised": "it is the plane that was named",
    "plane_acknowledged": "its plane has acknowledged",
    "plane_closed": "its plane is closed",
    "ledger_pulled": "its log is in the ledger to the end",
    "undo.plane_replaced": "its stores hold again what was there before",
    "undo.plane_stopped": "its plane works again as before",
    "undo.intake_closed": "its plane takes everything again",
}
"""Steps of the kill-switch for people: a running one is waited for."""
DONE: Final = {
    "plan": "planned",
    "network": "network",
    "firewall": "firewall checked",
    "primary_ip": "public address",
    "ssh_key": "SSH key",
    "server": "server ordered",
    "join": "joined to the network",
    "volume": "volume",
    "attach": "volume attached",
    "start": "started",
    "settle": "booted, its own key pinned",
    "unlock": "encrypted volume open and mounted",
    "secrets": "secrets generated and sealed",
    "certificates": "certificates issued",
    "files": "files and secrets placed",
    "storage": "stores up, the tenant's parts made and verified",
    "deploy": "containers up and healthy",
    "signing": "keys that sign kept on the volume too",
    "record": "DNS record answered",
    "endpoints": "registered",
    "handover": "control plane handed over",
    "drain": "what it worked on is ended",
    "grow": "its file system is as large as its volume",
    "hosts_changed": "it has what was asked for",
    "surplus_gone": "what it had too much is gone",
    "install": "everything installed",
    "seal": "emptied and switched off",
    "snapshot": "snapshot",
    "looked": "compared with what was made, every host visited",
    "woken": "hosts that did not answer switched off and on",
    "cleared": "servers that are replaced taken away",
    "hosts_mended": "what was gone is made again",
    "services_up": "volumes open, stores and services up and healthy",
    "compared": "as it was made",
    "backup_prepared": "its hosts know where backups are kept",
    "backup_taken": "a backup is stored, and a trial of it went well",
    "backup_tried": "the backup was tried: it can be put back",
    "intake_closed": "its plane answers questions and takes nothing",
    "present_kept": "what is there is backed up as well",
    "plane_stopped": "its plane stands still",
    "plane_replaced": "its stores were emptied and filled from the backup",
    "plane_started": "its plane works again, with a log of its own",
    "intake_opened": "its plane takes everything again",
    "age_rotated": "its secrets are sealed for another identity, the one before is archived",
    "certificates_made": "its certificates are made anew",
    "certificates_given": "its hosts show them",
    "credentials_given": "its plane enters its stores with new ones",
    "images": "its hosts have the images",
    "room": "there is room for a copy of the database",
    "closed": "the plane answers questions and takes nothing",
    "frozen": "the plane stands still, its log is signed to its end",
    "copied": "the database is copied beside itself",
    "switched": "the other version runs",
    "verified": "each part was tried, nothing is missing",
    "opened": "the plane takes everything again",
    "given_up": "the copy is given up",
    "recorded": "the journal says what runs",
    "ended_back": "an earlier update is taken back",
    "ended_forward": "an earlier update is finished",
    "noted": "what its hosts have is noted",
    "brought": "what is to be fresh is on its hosts",
    "turned_back": "turned back",
    "packages_installed": "packages are installed, and all containers well",
    "signatures_exchanged": "its scanners have read the new signatures",
    "looked_at": "its scanners find what they must, and its plane is well",
    "tidied": "what was kept for the way back is given up",
}
"""Steps of provisioning and of rotating keys for people; those of provisioning by their action."""


def said(step: str) -> str:
    """A step for people; one that is not known is shown by its name."""
    if step in SAID:
        return SAID[step]
    undone = step.startswith(UNDO)
    action, _, host = step.removeprefix(UNDO).partition(".")
    words = DONE.get(action, action.replace("_", " "))
    return f"{host + ': ' if host else ''}{words}{' - taken away' if undone else ''}"
