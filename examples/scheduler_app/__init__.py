"""Reminders that APScheduler gives: who asked for one is remembered with the job."""
