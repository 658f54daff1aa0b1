"""The settings: `DJANGO_SETTINGS_MODULE=examples.django_app.settings`."""

from __future__ import annotations

SECRET_KEY = "of an example"  # noqa: S105
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "testserver"]
ROOT_URLCONF = "examples.django_app.urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware", "examples.django_app.analytics.middleware"]
