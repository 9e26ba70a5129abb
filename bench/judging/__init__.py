"""How well the policy gates judge, and how fast."""
