"""Celery workers: processes that take hints from Redis, leases from PostgreSQL, and do stages."""
