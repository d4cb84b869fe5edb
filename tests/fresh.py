"""The environment of somebody who has Python, and nothing of this checkout."""

from __future__ import annotations

import os
import sys
from pathlib import Path

OF_THE_NETWORK = {
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
}
OF_THIS_CHECKOUT = {"PIP_BUILD_CONSTRAINT", "PIP_CONSTRAINT"}
"""What its Makefile sets, by relative paths."""


def environment(home: Path) -> dict[str, str]:
    """Return variables with an empty home, whose `python3` is that of the tests.

    How pip and npm reach their indexes is the machine's, and stays.
    """
    tools = home / "bin"
    tools.mkdir(exist_ok=True)
    python = tools / "python3"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    own = Path(sys.executable).parent
    system = [one for one in os.environ["PATH"].split(os.pathsep) if Path(one) != own]
    kept = {name: value for name, value in os.environ.items() if _is_kept(name)}
    return kept | {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join([str(tools), *system]),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONUNBUFFERED": "1",  # as in a terminal
    }


def _is_kept(name: str) -> bool:
    if name in OF_THIS_CHECKOUT:
        return False
    return (
        name in OF_THE_NETWORK
        or name.startswith(("PIP_", "npm_config_"))
        or name.lower().endswith("_proxy")
    )
