"""Artifacts on their way to one node, piece by piece, as the session's bulk streams take them."""

from __future__ import annotations

from dataclasses import dataclass

from edgelite_hub.artifacts import Artifacts
from edgelite_protocol.hub_session import HubSession

READ_BYTES = 64 * 1024  # at once from the file; a bulk frame takes 2 kB of it


@dataclass(slots=True)
class _Transfer:
    digest: bytes
    offset_bytes: int  # of the next byte to send
    size_bytes: int
    held: bytes = b""  # read ahead


class Transfers:
    def __init__(self, session: HubSession, files: Artifacts) -> None:
        self._session = session
        self._files = files
        self._transfers: dict[int, _Transfer] = {}

    def open(self, stream: int, digest: bytes, offset_bytes: int, is_allowed: bool) -> None:
        size_bytes = self._files.size_bytes(digest) if is_allowed else None
        if size_bytes is None:
            self._session.close_stream(stream, "not_found", "no workload of this node names such an artifact")
        elif offset_bytes > size_bytes:
            self._session.close_stream(stream, "bad_offset", f"the artifact has {size_bytes} bytes")
        else:
            self._transfers[stream] = _Transfer(digest, offset_bytes, size_bytes)

    def closed(self, stream: int) -> None:
        self._transfers.pop(stream, None)

    def push(self) -> None:
        for stream, transfer in list(self._transfers.items()):
            self._push(stream, transfer)

    def _push(self, stream: int, transfer: _Transfer) -> None:
        while (room := self._session.can_send_bulk(stream)) and transfer.offset_bytes < transfer.size_bytes:
            if not transfer.held:
                transfer.held = self._files.read(transfer.digest, transfer.offset_bytes, READ_BYTES)
            piece, transfer.held = transfer.held[:room], transfer.held[room:]
            if not piece:  # the file became shorter under us
                self._fail(stream)
                return
            self._session.artifact_data(stream, piece)
            transfer.offset_bytes += len(piece)
        if transfer.offset_bytes >= transfer.size_bytes:
            self.closed(stream)
            self._session.close_stream(stream, "", "")

    def _fail(self, stream: int) -> None:
        self.closed(stream)
        self._session.close_stream(stream, "not_found", "the artifact's file is damaged at the hub")
