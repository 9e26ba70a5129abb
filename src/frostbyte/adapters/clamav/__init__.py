"""Malware scanners: clamd, and the stand-in that scans nothing."""
