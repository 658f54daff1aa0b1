"""What is checked on more than one Python, or in an environment that has nothing else: `make nox`, or `nox -s NAME`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import nox
from nox.project import load_toml, python_versions

ROOT = Path(__file__).parent
PROJECT = load_toml(ROOT / "pyproject.toml")
PYTHONS = python_versions(PROJECT)
EXTRAS = sorted(PROJECT["project"]["optional-dependencies"])
PROGRAMS = ROOT / "tests" / "packages"
DISTRIBUTIONS = ROOT / "dist"

CORE_TESTS = (
    "tests/decorators",
    "tests/delivery",
    *(
        f"tests/test_{name}.py"
        for name in ("bindings", "client", "context", "explain", "faults", "import", "messages", "scopes", "settings")
    ),
)
NEED_EXTRAS = ("test_frameworks_[!s]*", "*nats*", "test_forward.py")
"""Which of these have a framework or a server, for which a whole environment of its own is no place."""

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["wheel", "extras", "verifytypes", "lowest", "highest", "tests"]


def _prefer_interpreters_of_pyenv() -> None:
    """Let nox find what pyenv has: its shims run only what was chosen for the directory."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [str(path) for python in PYTHONS for path in sorted(versions.glob(f"{python}.*/bin"))[-1:]]
    os.environ["PATH"] = os.pathsep.join([*found, os.environ["PATH"]])


_prefer_interpreters_of_pyenv()


@nox.session
def build(session: nox.Session) -> None:
    """Build the wheel and the sdist into dist/."""
    session.install("hatchling>=1.27")
    shutil.rmtree(DISTRIBUTIONS, ignore_errors=True)
    session.run("hatchling", "build", "-d", str(DISTRIBUTIONS))


@nox.session(python=PYTHONS, requires=["build"])
@nox.parametrize("form", ["wheel", "sdist"])
def wheel(session: nox.Session, form: str) -> None:
    """Install what is published, deliver an event with it, and start the command."""
    distribution = _built(form)
    session.install(distribution)
    session.chdir(session.create_tmp())  # so that nothing is imported from the checkout
    session.run("python", "-W", "error", str(PROGRAMS / "one_event.py"), "events.jsonl")
    session.run("instrument", "--version", success_codes=[2])  # which says what is missing
    session.install(f"{distribution}[cli]")
    session.run("instrument", "--version")


@nox.session(requires=["build"])
@nox.parametrize("extra", EXTRAS)
def extras(session: nox.Session, extra: str) -> None:
    """Install one extra and nothing else, and import what needs it."""
    session.install(f"{_built('wheel')}[{extra}]")
    session.chdir(session.create_tmp())
    session.run("python", "-W", "error", str(PROGRAMS / "one_extra.py"), extra)


@nox.session(requires=["build"])
def verifytypes(session: nox.Session) -> None:
    """Let pyright look at the types of all public symbols, as it sees them where the wheel is installed."""
    session.install(f"{_built('wheel')}[{','.join(EXTRAS)}]", "pytest", "pyright[nodejs]>=1.1.400")
    session.chdir(session.create_tmp())
    session.run("pyright", "--verifytypes", "instrument", "--ignoreexternal")


@nox.session(python=PYTHONS)
def lowest(session: nox.Session) -> None:
    """Test the core with the oldest versions of what it depends on."""
    _test_core(session, [each.replace(">=", "==") for each in PROJECT["project"]["dependencies"]])


@nox.session(python=PYTHONS)
def highest(session: nox.Session) -> None:
    """Test the core with the newest versions of what it depends on, and without any extra."""
    _test_core(session, PROJECT["project"]["dependencies"])


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run all tests; further arguments are those of pytest."""
    session.install("--editable", ".", "--group", "dev")
    session.run("pytest", "-n", "auto", *session.posargs)


@nox.session(requires=["build"])
def sdist(session: nox.Session) -> None:
    """Run all tests of an unpacked sdist; further arguments are those of pytest."""
    # Outside of this checkout, whose settings, and whose list of what is ignored, would hold for it too.
    with TemporaryDirectory() as unpacked:
        shutil.unpack_archive(_built("sdist"), unpacked, filter="data")
        (root,) = Path(unpacked).iterdir()
        with session.chdir(root):
            session.install("--editable", ".", "--group", "dev")
            session.run("pytest", "-n", "auto", *session.posargs)


def _built(form: str) -> str:
    """Return the path of what was built."""
    (path,) = DISTRIBUTIONS.glob({"wheel": "*.whl", "sdist": "*.tar.gz"}[form])
    return str(path)


def _test_core(session: nox.Session, dependencies: list[str]) -> None:
    session.install(*dependencies, "--editable", ".", "--group", "test-core")
    ignored = [f"--ignore-glob=*{pattern}" for pattern in NEED_EXTRAS]
    session.run("pytest", "-n", "auto", *ignored, *(session.posargs or CORE_TESTS))
