"""Everything that goes through Redis: the Celery app, wake-ups, messages about ended jobs, connections."""
