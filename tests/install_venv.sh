#!/bin/sh
# Debian and Ubuntu ship Python without venv: install it where root and apt exist, else say how.
set -eu
python=$1 venv=$2
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
rm -rf "$venv"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq "python$version-venv" >/dev/null
    exec "$python" -m venv "$venv"
fi
echo "This Python has no venv: sudo apt-get install python$version-venv" >&2
exit 1
