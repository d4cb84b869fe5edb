"""The project behind a GRIP proxy, which its environment tells of."""

from __future__ import annotations

import os

from project.settings import *  # noqa: F403
from project.settings import SSE_COMPONENTS as GIVEN

SSE_COMPONENTS = GIVEN | {
    "GRIP_URL": os.environ.get("GRIP_URL", ""),
    "GRIP_KEY": os.environ.get("GRIP_KEY", ""),
    "GRIP_SECONDS": float(os.environ.get("GRIP_SECONDS", "5")),
    "ROTATE_SECONDS": float(os.environ.get("ROTATE_SECONDS", "900")),
    "KEEP_ALIVE_SECONDS": float(os.environ.get("KEEP_ALIVE_SECONDS", "15")),
    "PUBLIC_GROUPS": ["news.**", "demo.**"],
    "CONSOLE": False,
}
WSGI_APPLICATION = "tests.edge.wsgi.application"
