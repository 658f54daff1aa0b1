"""Reports that Celery renders: who ordered one travels with the task."""
