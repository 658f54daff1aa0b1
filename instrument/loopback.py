"""This machine, by the addresses that only it has."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether a name or an address can only mean this machine.

    >>> [is_loopback(each) for each in ("127.0.0.1", "::1", "localhost", "example.com", "0.0.0.0")]
    [True, True, True, False, False]
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
