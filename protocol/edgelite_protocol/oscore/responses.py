"""Protected responses (RFC 8613, sections 5.2, 5.4 and 8.3). A response is bound to its request by the request's kid
and Partial IV; it uses the request's nonce, or a sequence number of its sender's own."""

from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.oscore.context import FAILED, Context, Option, additional_data, decode_option


def seal_response(context: Context, request_piv: bytes, plaintext: bytes, own_number: bool) -> "tuple[bytes, bytes]":
    """(option value, ciphertext) of the answer to a request of the peer's. Without `own_number` it may be called
    once for each request: a second answer would use its nonce again."""
    additional = additional_data(context.recipient_id, request_piv)
    if own_number:
        partial_iv = context.take_partial_iv()
        nonce = context.nonce(context.sender_id, partial_iv)
        return Option(partial_iv).encode(), context.sender.seal(nonce, plaintext, additional)
    nonce = context.nonce(context.recipient_id, request_piv)
    return b"", context.sender.seal(nonce, plaintext, additional)


def open_response(context: Context, request_piv: bytes, value: bytes, ciphertext: bytes) -> bytes:
    """The plaintext of the answer to a request of this end's; ProtocolError "oscore_failed"."""
    option = decode_option(value)
    if option.partial_iv is not None:
        return context.open_numbered(option.partial_iv, ciphertext, context.sender_id, request_piv)
    nonce = context.nonce(context.sender_id, request_piv)
    plaintext = context.recipient.open(nonce, ciphertext, additional_data(context.sender_id, request_piv))
    if plaintext is None:
        raise ProtocolError(FAILED, "the response does not verify")
    return plaintext
