"""nchan in nginx, of Debian's packages nginx-light and libnginx-mod-nchan.

One worker process. New subscribers begin with the next event, as ours do; what the
buffer holds is for those that return or lag. An event has an id and no name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

MODULE: Final = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
PACKAGE: Final = "libnginx-mod-nchan"
PATH: Final = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
CONFIGURATION: Final = """\
load_module %(module)s;
daemon off;
pid nginx.pid;
error_log stderr error;
worker_processes 1;
worker_rlimit_nofile 16384;
events {
  worker_connections 8192;
}
http {
  access_log off;
  keepalive_requests 1000000;
  client_body_buffer_size 64k;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  scgi_temp_path scgi;
  uwsgi_temp_path uwsgi;
  server {
    listen 127.0.0.1:%(port)s backlog=2048;
    location = /events {
      nchan_subscriber eventsource;
      nchan_subscriber_first_message newest;
      nchan_channel_id bench;
    }
    location = /publish {
      nchan_publisher http;
      nchan_channel_id bench;
      nchan_message_buffer_length 2000;
    }
  }
}
"""


def version() -> str | None:
    """Return nchan's and nginx's versions, or None where they aren't installed."""
    nginx = _nginx()
    if not (nginx and MODULE.exists()):
        return None
    upstream = "--showformat=${source:Upstream-Version}"
    package = _output("dpkg-query", upstream, "--show", PACKAGE).removesuffix("+dfsg")
    number = _output(nginx, "-v").rpartition("/")[2].strip()
    return f"{package}, nginx {number}"


def command(port: int, folder: Path) -> list[str]:
    """Write the configuration into the folder and return what starts it."""
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION % {"module": MODULE, "port": port})
    # Before it has read that, it would write to the system's log.
    return [
        *(_nginx() or "nginx", "-p", str(folder)),
        *("-c", str(configuration), "-e", "stderr"),
    ]


def _nginx() -> str | None:
    return shutil.which("nginx", path=PATH)


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout or done.stderr
