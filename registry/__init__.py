"""Protection policies: quoted, sold, watched, paid out and expired. Knows nothing of Celery."""
