"""Import what needs an extra, where nothing but that is installed: `one_extra.py EXTRA`."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

NEEDS: dict[str, list[str]] = json.loads(Path(__file__).with_name("needs.json").read_text(encoding="utf-8"))
"""By module, the extras that it needs, and with it the modules inside of it that are not named themselves."""

LOADED_BY_INSTRUMENT = {
    "annotated_types",
    "contextvars_extras",
    "instrument",
    "pydantic",
    "pydantic_core",
    "sentinel_value",
    "typing_extensions",
    "typing_inspection",
}
"""What `import instrument` may load: parts of the core alone, and not all of them."""


def modules(place: Path) -> dict[str, Path]:
    """Return the modules of the package in a directory, by name, without those that are programs."""
    parts = {path: path.relative_to(place.parent).with_suffix("").parts for path in place.rglob("*.py")}
    named = {path: names[:-1] if names[-1] == "__init__" else names for path, names in parts.items()}
    return {".".join(names): path for path, names in sorted(named.items()) if names[-1] != "__main__"}


def needs(module: str) -> list[str]:
    """Return the extras that a module needs."""
    while module and module not in NEEDS:
        module = module.rpartition(".")[0]
    return NEEDS.get(module, [])


def loaded_by(module: str) -> set[str]:
    """Import a module, and return the packages that it loads besides those of the language."""
    before = set(sys.modules)
    import_module(module)
    packages = {name.partition(".")[0] for name in set(sys.modules) - before}
    return {name for name in packages - sys.stdlib_module_names if not name.startswith("_sysconfigdata")}


if __name__ == "__main__":
    too_many = loaded_by("instrument") - LOADED_BY_INSTRUMENT
    assert not too_many, f"import instrument loads {too_many}"
    spec = find_spec("instrument")
    assert spec is not None
    assert spec.origin is not None
    imported = [name for name in modules(Path(spec.origin).parent) if needs(name) == sys.argv[1:]]
    for name in imported:
        import_module(name)
    assert imported, "no module needs this extra"
    sys.stdout.write(f"imported {', '.join(imported)}\n")
