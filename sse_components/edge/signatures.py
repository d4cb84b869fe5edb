"""Whether a request comes from the proxy, and not from whoever knows its address."""

from __future__ import annotations

from typing import Final

from sse_components import runtime

HEADER: Final = "grip-sig"


def is_from_proxy(signature: str) -> bool:
    """Whether a request's Grip-Sig is made with GRIP_KEY; never, if there is none."""
    key = runtime.settings().grip_key
    if not key or not signature:
        return False
    import jwt  # late: who has no proxy doesn't need it

    try:
        jwt.decode(signature, key, algorithms=["HS256"], options={"require": ["exp"]})
    except jwt.PyJWTError:
        return False
    return True
