"""Zones: Hetzner's, other providers' through dns-lexicon, in memory; and what their name servers answer."""
