"""Ask for known vulnerabilities of what is installed here, all extras and tools among it: `make audit`.

Ends with 0 where none is known, 1 where some are, and 2 where it cannot be told: no service answered, or not for all.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

OWN = "instrument-analytics"
SERVICES = ("pypi", "osv")
_MOST_TEXT = 200


@dataclass
class Verdict:
    """What is known of the packages.

    Attributes:
        clear: those without a known vulnerability.
        vulnerable: those with one: the name, the version, the ids, and where it is fixed.
        unknown: those that the service knows nothing of.
        why: why nothing could be asked at all, where that is so.
    """

    clear: list[str] = field(default_factory=list)
    vulnerable: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    why: str = ""

    @property
    def status(self) -> int:
        """The exit status."""
        if self.vulnerable:
            return 1
        return 0 if self.clear and not self.unknown else 2

    def __str__(self) -> str:
        lines = [f"VULNERABLE {each}" for each in self.vulnerable]
        if not self.clear and not self.vulnerable:
            lines.append(
                f"NOT AUDITED: the service of vulnerabilities cannot be reached from here. {self.why}".rstrip()
            )
            lines.append("Run `make audit` where it can, before a release.")
        elif self.unknown:
            lines.append(f"NOT AUDITED, since the service does not know them: {', '.join(self.unknown)}")
        lines.append(f"{len(self.clear)} packages without a known vulnerability, {len(self.vulnerable)} with one")
        return "\n".join(lines)


def verdict(report: dict[str, Any]) -> Verdict:
    """Read the JSON of pip-audit."""
    found = Verdict()
    for each in report["dependencies"]:
        if each["name"] == OWN:
            continue
        if "skip_reason" in each:
            found.unknown.append(each["name"])
        elif each["vulns"]:
            ids = ", ".join(
                f"{one['id']} (fixed in {', '.join(one['fix_versions']) or 'nothing'})" for one in each["vulns"]
            )
            found.vulnerable.append(f"{each['name']} {each['version']}: {ids}")
        else:
            found.clear.append(each["name"])
    return found


def asked(service: str) -> Verdict:
    """Ask one service."""
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", service]
    options = ["--local", "--format", "json", "--progress-spinner", "off", "--timeout", "15"]
    ran = subprocess.run([*command, *options], check=False, capture_output=True, text=True)  # noqa: S603 - ours
    try:
        return verdict(json.loads(ran.stdout))
    except ValueError:  # it wrote no report
        return Verdict(why=(ran.stderr.strip().splitlines() or ["It said nothing."])[-1][:_MOST_TEXT])


def audit() -> Verdict:
    """Ask one service after the other, until one answers."""
    found = Verdict()
    for service in SERVICES:
        found = asked(service)
        if found.clear or found.vulnerable:
            break
    return found


if __name__ == "__main__":
    told = audit()
    print(told)
    sys.exit(told.status)
