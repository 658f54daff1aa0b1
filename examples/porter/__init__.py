"""A running API with every event of Porter's analytics: the source document, in Python.

`analytics` declares the events; the handlers in `api` and `provisioning` emit them; `demo` shows all that arrives.
"""
