#!/bin/sh
# Installs what Shoal is built and tested with: Debian packages named in
# packages.txt, and a Python environment in .venv with requirements.txt.
# Does nothing where everything is there already.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")

missing=
for p in $(cat "$here/packages.txt"); do
  dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ]; then sudo=
  elif sudo -n true 2>/dev/null; then sudo=sudo
  else
    echo "Shoal needs these packages. Run, then make again:" >&2
    echo "  sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
  fi
  echo "installing:$missing"
  export DEBIAN_FRONTEND=noninteractive
  $sudo apt-get update -qq
  # shellcheck disable=SC2086
  $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

python=$top/.venv/bin/python
if [ ! -x "$python" ]; then
  # The distribution's Python first: another one on PATH may lack venv.
  /usr/bin/python3 -m venv "$top/.venv" || python3 -m venv "$top/.venv"
fi
"$python" -m pip install -q --disable-pip-version-check -r "$here/requirements.txt"
# What only --target=cuda needs. A machine that cannot have it (no such wheel,
# no network) is no reason to stop.
"$python" -m pip install -q --disable-pip-version-check \
    -r "$here/requirements-cuda.txt" ||
  echo "note: the CUDA tools were not installed; --target=cuda needs ptxas" \
       "(later: $python -m pip install -r cmake/requirements-cuda.txt)" >&2
