"""How every tenant is, in one view: what was seen of each (`view`), and what to think of it (`verdict`, pure)."""
