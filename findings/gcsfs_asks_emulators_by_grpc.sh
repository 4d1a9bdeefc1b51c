#!/usr/bin/env bash
# gcsfs asks of every bucket, before it first reads it, what kind of bucket it is: by gRPC
# with TLS, although STORAGE_EMULATOR_HOST names a server of plain HTTP, as emulators of
# Google Cloud Storage are (gcsfs reads the objects there by HTTP itself, and well). No
# answer can come, so that the first access of one takes a minute or more, with
# lines of SSL errors, and then goes on as if nothing were amiss. Anonymous access
# (token="anon") is asked about too. GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT=false leaves the
# question out; the name speaks of an experiment, which is on where the variable is not set.
#
# Seen with gcsfs 2026.10.1 and gcp-storage-emulator 2024.8.3: 157 s, 0.1 s without the
# question. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gcsfs==2026.10.1 gcp-storage-emulator==2024.8.3 \
  "setuptools<81"
cat >"$folder/ask.py" <<'PYTHON'
import os
import socket
import time

from gcp_storage_emulator.server import create_server

with socket.create_server(("localhost", 0)) as free:
    port = free.getsockname()[1]
server = create_server("localhost", port, in_memory=True, default_bucket="bucket")
server.start()
os.environ["STORAGE_EMULATOR_HOST"] = f"http://localhost:{port}"
import gcsfs

system = gcsfs.GCSFileSystem(token="anon")
begin = time.monotonic()
system.pipe("bucket/name", b"content")
assert system.cat("bucket/name") == b"content"
print(f"{time.monotonic() - begin:.1f}")
server.stop()
PYTHON
ask() { "$folder/venv/bin/python" -W ignore "$folder/ask.py" 2>"$folder/said" | tail -n 1; }
by_default=$(ask)
lines=$(grep -c SSL_ERROR_SSL "$folder/said" || true)
without=$(GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT=false ask)
echo "first access: $by_default s, with $lines lines of SSL errors; without the question $without s"
awk -v a="$by_default" -v b="$without" -v n="$lines" \
  'BEGIN { exit !(a > 30 && b < 10 && n > 0) }'
