"""The rules that ship with Frostbyte: pii.toml, injection.toml and classification.toml.

They are package data, so that an installed tree always has them. A folder given to `RuleSet.load` (config/policy/ in
a checkout) may hold files of the same names; each one replaces the shipped file of that name as a whole.
"""
