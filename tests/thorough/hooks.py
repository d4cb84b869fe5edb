"""What Schemathesis can't know: a second body of an idempotency key is refused."""

from __future__ import annotations

import re
from itertools import count
from typing import Any

import schemathesis

NAME = "Idempotency-Key"

numbers = count()


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Use no key twice, and leave one that is invalid as it is."""
    key = (case.headers or {}).get(NAME, "")
    if isinstance(key, str) and re.fullmatch(r"[\x20-\x7e]{1,128}", key):
        case.headers[NAME] = f"{next(numbers)} {key}"[:128]
