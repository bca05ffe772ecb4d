"""edgelite's wire protocol: CBOR codec, frames and the session state machines of both ends. It imports nothing
of the other rooms and does no I/O. Import the module that you need; this package loads none by itself."""
