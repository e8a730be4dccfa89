"""Celery: tasks, canvases, the schedule, and the processes that serve them."""
