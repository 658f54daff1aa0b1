"""Making a package: from a draft of its classes to files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from instrument.plan.codegen.known import known_names
from instrument.plan.codegen.modules import make_modules
from instrument.plan.codegen.package import check_directory, check_modules, read_modules, write_modules
from instrument.plan.codegen.problems import PackageError

if TYPE_CHECKING:
    from pathlib import Path

    from instrument.plan.codegen.drafts import Draft
    from instrument.plan.codegen.known import KnownNames
    from instrument.plan.codegen.modules import Made


@dataclass(frozen=True, slots=True)
class Making:
    """What making a package did.

    Attributes:
        messages: how many messages the package has.
        added: the names of the messages that it did not have before.
        removed: the names of those that it has no more.
        changed: the files that were written.
        remarks: what the plan says and the classes do not.
    """

    messages: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    remarks: tuple[str, ...]


def make_package(draft: Draft, directory: Path, command: str, *, prune: bool = False, force: bool = False) -> Making:
    """Write the classes of a plan.

    Args:
        draft: the plan.
        directory: the package.
        command: the command that makes it, for the header of the modules.
        prune: remove the classes of messages that the plan has no more.
        force: replace modules that were changed or written by hand.

    Raises:
        PlanFileError: the plan cannot be made into classes.
        PackageError: something would be lost, or the package cannot be written.
        MissingExtra: a package of the extra is not installed.
    """
    check_directory(directory)
    former = read_modules(directory, force=force)
    known = known_names(*former.values())
    made = make_modules(draft, known)
    if not force:
        check_modules(directory, made.modules)
    removed = _removed(known, made)
    if removed and not prune:
        gone = "\n".join(f"  {call} {name!a}: class {class_name}" for class_name, (call, name) in removed.items())
        raise PackageError(
            f"{directory}: the plan has these no more, and code may still use their classes:\n{gone}\n"
            "Give --prune to remove them, once nothing uses them."
        )
    changed = write_modules(directory, made.modules, former, command, draft.source)
    return Making(
        messages=len(draft.messages),
        added=tuple(name for call, name in made.messages if (call, name) not in known.messages),
        removed=tuple(name for _, name in removed.values()),
        changed=tuple(changed),
        remarks=made.remarks,
    )


def _removed(known: KnownNames, made: Made) -> dict[str, tuple[str, str]]:
    """Return the messages that are there no more, by their classes."""
    still = {class_name for (call, _), class_name in made.messages.items() if call != "track"}
    return {
        class_name: key
        for key, class_name in known.messages.items()
        if key not in made.messages and (key[0] == "track" or class_name not in still)
    }
