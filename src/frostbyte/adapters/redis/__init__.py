"""The queue of hints on Redis: what its user may do there, and how Celery is told to use it."""
