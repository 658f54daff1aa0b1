"""Product analytics by decorators: events declared once as classes, built from the call, checked and delivered."""

from instrument.bindings import Binding, Source
from instrument.calls import Call, Outcome
from instrument.client import Client, Receipt, configure, default_client
from instrument.context import RequestScope, request_scope
from instrument.decorators import SpecDecorator, aliases, emitting, groups, identifies, pages, screens, tracks
from instrument.delivery.destination import Destination, Held, Limits, Rejected, Unavailable
from instrument.delivery.destinations.jsonl import JsonLinesDestination
from instrument.delivery.destinations.memory import MemoryDestination
from instrument.delivery.envelope import Envelope
from instrument.delivery.ledger import Stats
from instrument.errors import (
    BindingError,
    DeclarationError,
    InstrumentError,
    InstrumentWarning,
    Reason,
    Refusal,
    ScopeError,
)
from instrument.explain import explain
from instrument.messages import (
    Alias,
    Group,
    Identify,
    Message,
    Page,
    Screen,
    SegmentTrack,
    Spec,
    Track,
    declared_messages,
)
from instrument.privacy.consent import Consent
from instrument.privacy.marks import PII
from instrument.scopes import Scope
from instrument.version import VERSION as __version__  # noqa: N811 - the name that Python tools look for

__all__ = [
    "PII",
    "Alias",
    "Binding",
    "BindingError",
    "Call",
    "Client",
    "Consent",
    "DeclarationError",
    "Destination",
    "Envelope",
    "Group",
    "Held",
    "Identify",
    "InstrumentError",
    "InstrumentWarning",
    "JsonLinesDestination",
    "Limits",
    "MemoryDestination",
    "Message",
    "Outcome",
    "Page",
    "Reason",
    "Receipt",
    "Refusal",
    "Rejected",
    "RequestScope",
    "Scope",
    "ScopeError",
    "Screen",
    "SegmentTrack",
    "Source",
    "Spec",
    "SpecDecorator",
    "Stats",
    "Track",
    "Unavailable",
    "__version__",
    "aliases",
    "configure",
    "declared_messages",
    "default_client",
    "emitting",
    "explain",
    "groups",
    "identifies",
    "pages",
    "request_scope",
    "screens",
    "tracks",
]
