"""Whole applications that use the toolkit."""
