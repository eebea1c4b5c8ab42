#!/usr/bin/env bash
# Everything that `make demo` and `make test` need, into .venv and node_modules; seconds when nothing changed since the last time.
set -euo pipefail
cd "$(dirname "$0")"

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || fail "nncase's K230 compiler exists for Linux x86-64 only, this is $(uname -s) $(uname -m)"

# A Python that nncase has wheels for.
python=""
for candidate in "${PYTHON:-python3.11}" python3.11 python3.12 python3.10 python3; do
    if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || fail "no Python 3.10 to 3.12 found: install python3.11 and its venv package"
node_major=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/') || true
[ "${node_major:-0}" -ge 18 ] || fail "Node 18 or newer is needed for the virtual board (found: $(node --version 2>/dev/null || echo none)): install nodejs and npm"
command -v npm >/dev/null || fail "npm is needed to fetch the virtual board's MicroPython: install npm"

stamp=$(cat requirements.lock pyproject.toml package-lock.json setup.sh <("$python" --version) | sha256sum | cut -d' ' -f1)
if [ -f .venv/.snaploop-stamp ] && [ "$(cat .venv/.snaploop-stamp)" = "$stamp" ] && [ -d node_modules ]; then
    say "up to date"
    exit 0
fi

# OpenCV (through ultralytics) opens these two at import, even without a screen.
missing=""
for pair in libGL.so.1:libgl1 libxcb.so.1:libxcb1 libgthread-2.0.so.0:libglib2.0-0; do
    ldconfig -p | grep -q "${pair%%:*}" || missing="$missing ${pair##*:}"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "system libraries:$missing"
        { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing; } >/dev/null ||
            fail "apt could not install$missing: install them by hand"
    else
        fail "system libraries are missing: sudo apt-get install$missing"
    fi
fi

say "npm packages into node_modules, at the same time"
npm ci --silent --no-audit --no-fund &
npm=$!
trap 'kill "$npm" 2>/dev/null || true' EXIT  # when pip fails, npm does not go on behind its back

say "Python packages into .venv ($("$python" --version); torch is large, the first time takes some minutes)"
[ -x .venv/bin/python ] || "$python" -m venv .venv || fail "could not make .venv: install the venv package of $python"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock ||
    fail "pip could not install requirements.lock: see its message above; run make setup again when the network is back"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
# Byte code on all cores, where pip takes one and a minute, and ours too: else every process that starts compiles it again where
# PYTHONDONTWRITEBYTECODE is set. Some packages hold files that are meant for other Pythons: no failure.
.venv/bin/python -m compileall -qq -j 0 .venv/lib host shared device || true

wait "$npm" || fail "npm could not install package-lock.json: see its message above"
trap - EXIT

say ".NET runtime for nncase"
.venv/bin/python -m snaploop_host.compiling.dotnet

say "MicroPython for the virtual board"
.venv/bin/python -c "from virtual_k230.interpreter import find_interpreter; find_interpreter()"

echo "$stamp" > .venv/.snaploop-stamp
say "done"
