"""Serve the application: `python -m examples.porter --database porter.db`.

The first line that is printed is the address. Events go to Segment if `SEGMENT_CLIENT_KEY` is set.
"""

from __future__ import annotations

import argparse
import socket

import uvicorn

from examples.porter.analytics import segment
from examples.porter.app import create_app
from examples.porter.cloud import Cloud


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(prog="python -m examples.porter", description="Serve the example application.")
    parser.add_argument("--port", type=int, default=0, help="where to listen on 127.0.0.1; 0 for any free port")
    parser.add_argument("--database", default="porter.db", help="the SQLite file")
    parser.add_argument("--patience", type=float, default=30.0, help="seconds that a cluster may take to be made")
    parser.add_argument("--slow-step", type=float, default=60.0, help="seconds that the slow region needs")
    options = parser.parse_args()
    segment.connect()
    app = create_app(options.database, cloud=Cloud(slow_step=options.slow_step), patience=options.patience)
    with socket.create_server(("127.0.0.1", options.port)) as listening:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])


if __name__ == "__main__":
    main()
