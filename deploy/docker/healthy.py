"""The health check of the container: ends with 0 where the app in it answers, else with 1."""

import os
import sys
from http.client import HTTPConnection, HTTPException

port = int(os.environ.get("CHAT_MAGICS_SERVE_PORT") or 8866)
base = os.environ.get("CHAT_MAGICS_SERVE_BASE_URL", "").strip("/")
connection = HTTPConnection("127.0.0.1", port, timeout=4)
try:
    connection.request("GET", f"/{base}/healthz" if base else "/healthz")
    sys.exit(connection.getresponse().status != 200)
except (OSError, HTTPException) as fault:
    sys.exit(f"no answer at port {port}: {fault}")
