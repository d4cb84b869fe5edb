"""Streams that a GRIP proxy holds: what it is answered, and what is relayed to it."""
