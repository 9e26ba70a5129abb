"""Secrets of tenants on the control host: sealed with SOPS and age, or in memory."""
