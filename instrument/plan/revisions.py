"""The plan of a revision of the repository: from the plan file that it holds, or made of its code.

The code is checked out into a worktree of its own in a temporary directory, and imported by a process of its own:
neither the working tree nor this process sees anything of it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NoReturn

from pydantic import ValidationError

from instrument.errors import InstrumentError
from instrument.plan import elsewhere
from instrument.plan.model import Plan, wrong_in_plan

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from instrument.plan.project import Project

# Set where git runs a hook: they would make of every command one that works on that hook's index and tree.
_OF_A_HOOK = frozenset({"GIT_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_WORK_TREE"})
# As in instrument.delivery.destination: what is imported sends nothing.
_NO_NETWORK = "INSTRUMENT_NO_NETWORK"


class RevisionError(InstrumentError):
    """A revision of which there is no plan."""


class Repository:
    """A repository of git.

    Args:
        directory: one in its working tree.

    Raises:
        RevisionError: it is in none, or git is not installed.
    """

    def __init__(self, directory: Path) -> None:
        self._top = directory
        self._top = Path(self._git("rev-parse", "--show-toplevel").decode().removesuffix("\n"))

    def commit(self, revision: str) -> str:
        """Return the id of the commit that a revision names.

        Raises:
            RevisionError: it names none.
        """
        commit = f"{revision}^{{commit}}"
        return self._git("rev-parse", "--verify", "--quiet", "--end-of-options", commit).decode().strip()

    def has(self, revision: str) -> bool:
        """Whether a revision names a commit."""
        try:
            self.commit(revision)
        except RevisionError:
            return False
        return True

    def plan(self, revision: str, project: Project, packages: Sequence[str], exclude: Sequence[str]) -> Plan:
        """Return the plan of a project at a revision.

        Args:
            revision: any name of a commit.
            project: the project as it is in the working tree.
            packages: instead of those that the revision's own pyproject.toml names.
            exclude: besides those.

        Raises:
            RevisionError: there is no such commit, or its packages cannot be imported.
        """
        commit = self.commit(revision)
        within = project.root.resolve().relative_to(self._top.resolve())
        if project.plan_file:
            content = self._content(commit, (within / project.plan_file).as_posix())
            if content is not None:
                return self._read(content, revision, project.plan_file)
        with self._worktree(commit) as tree:
            try:
                return elsewhere.plan_of(tree / within, packages, exclude, env=_environment() | {_NO_NETWORK: "plan"})
            except elsewhere.NotPlannedError as error:
                raise RevisionError(f"{revision} ({commit[:12]}): {error}") from None

    def _content(self, commit: str, path: str) -> bytes | None:
        try:
            return self._git("cat-file", "blob", f"{commit}:{path}")
        except RevisionError:
            return None

    def _read(self, content: bytes, revision: str, file: str) -> Plan:
        try:
            return Plan.from_json(content)
        except ValidationError as error:
            raise RevisionError(f"{revision}: its {file} is no plan file: {wrong_in_plan(error)}") from None

    @contextmanager
    def _worktree(self, commit: str) -> Generator[Path]:
        """Check a commit out into a directory that is gone afterwards, whatever happens."""
        with _ended_properly(), TemporaryDirectory(prefix="instrument-plan-") as directory:
            tree = Path(directory, "tree")
            try:
                # Hooks are for the working tree of the user.
                hooks = f"core.hooksPath={os.devnull}"
                self._git("-c", hooks, "worktree", "add", "--detach", "--force", str(tree), commit)
                yield tree
            finally:
                with suppress(RevisionError):  # it was never made
                    self._git("worktree", "remove", "--force", str(tree))

    def _git(self, *command: str) -> bytes:
        try:
            done = subprocess.run(  # noqa: S603 - a list, no shell; what the user names comes after --end-of-options
                ["git", "-C", str(self._top), *command],  # noqa: S607 - the git that the user has
                capture_output=True,
                check=False,
                stdin=subprocess.DEVNULL,
                env=_environment(),
            )
        except FileNotFoundError:
            raise RevisionError("git is not installed") from None
        if done.returncode:
            said = done.stderr.decode(errors="backslashreplace").strip()
            raise RevisionError(said or f"git {command[0]} knows nothing of {command[-1]}")
        return done.stdout


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}


@contextmanager
def _ended_properly() -> Generator[None]:
    """Let a request to terminate unwind, so that what is temporary is removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)
