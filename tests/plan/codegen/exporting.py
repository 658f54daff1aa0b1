"""Writes the plan of the package examples.porter.analytics below a directory in every form that can be read again.

Arguments: the directory, and where to write. It runs as a process of its own, since packages of one name are exported.
"""

from __future__ import annotations

import sys
from pathlib import Path

from instrument.plan.collect import collect
from instrument.plan.exports import json_schema, protocols, spreadsheet
from instrument.plan.project import Project


def main(root: Path, target: Path) -> None:
    plan = collect(Project(root=root, packages=("examples.porter.analytics",), name="porter"))
    files = {
        "plan.json": plan.to_json(),
        "schema.json": json_schema.document(plan),
        "protocols.json": protocols.document(plan),
        "table.csv": spreadsheet.document(plan),
        **{f"each/{name}": text for name, text in json_schema.documents(plan).items()},
    }
    for name, text in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    sys.stdout.write(str(sys.modules["examples.porter.analytics"].__file__))


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    main(Path(sys.argv[1]), Path(sys.argv[2]))
