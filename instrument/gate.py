"""The gate of a client: what a message passes on its way from the caller to the pipeline, compiled for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instrument.delivery.envelope import Variants, compile_encoder, encoder_of, holds_personal_data
from instrument.privacy.marks import marks_of
from instrument.privacy.redaction import Redaction, strictest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instrument.delivery.envelope import Encode, Envelope
    from instrument.messages import Message
    from instrument.stamps import Stamp


def asks_for_more(model: type[Message]) -> bool:
    """Whether a message class asks a client for more than to be serialised: it holds personal data.

    Raises:
        DeclarationError: the class hides a mark of personal data.
    """
    return holds_personal_data(model)


class Gate:
    """Knows how each message class is serialised for one client.

    Args:
        redactions: the distinct policies for personal data among the destinations.
    """

    def __init__(self, redactions: Sequence[Redaction]) -> None:
        self._redactions = redactions

    def encoder_of(self, model: type[Message]) -> Encode:
        """Compile the serialisation of a message class; of one without personal data it is everybody's.

        Raises:
            DeclarationError: the class is abstract, or hides a mark of personal data.
        """
        if not holds_personal_data(model):
            return encoder_of(model)
        encoders = [compile_encoder(model, each) for each in self._redactions]
        if len(encoders) == 1:
            return encoders[0]
        return _several(compile_encoder(model, strictest(self._redactions, marks_of(model).values())), encoders)


def _several(strictest: Encode, encoders: Sequence[Encode]) -> Encode:
    def encode(message: Message, stamp: Stamp, end: bytes) -> Envelope:
        return Variants.of(strictest(message, stamp, end), tuple([each(message, stamp, end) for each in encoders]))

    return encode
