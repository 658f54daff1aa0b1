"""The analytics of the application: every event, once, and nothing else.

The package mirrors the five files of the Go package that it re-imagines:

| Go                  | here             | what it holds                                                          |
| ------------------- | ---------------- | ---------------------------------------------------------------------- |
| `segment.go`        | `segment.py`     | the client: made once, flushed at the end                              |
| `track_scopes.go`   | `scopes.py`      | the ids of a user, project, cluster, registry and application          |
| `track_events.go`   | `events.py`      | the 47 events, each a class: its name, its scope, its properties       |
| `tracks.go`         | `bindings.py`    | where handlers keep what an event needs, if not under its name         |
| `identifiers.go`    | `identifiers.py` | who a user is                                                          |

What were an enum of names, an options struct and a constructor for each event is one class here, and what were
calls of the constructors all over the application are decorators on its handlers.

To add an event, declare a class named `[Noun][Verb][Subverb]` in `events.py`, and put it on the handler:

    @tracks(ClusterProvisioningSuccess, start=ClusterProvisioningStart, failure=ClusterProvisioningError)
    async def provision_cluster(...): ...
"""
