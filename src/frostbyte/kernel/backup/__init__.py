"""A backup repository: what a plane, or the control plane, keeps elsewhere (docs/backup-format.md).

`repository` stores and reads snapshots, `mirror` keeps what must have no past, `retention` says which snapshots stay,
`target` is the place. One writer at a time works on a repository: its owner sees to that by a lock of its own.
"""
