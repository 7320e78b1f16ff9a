#!/usr/bin/env bash
# What the Makefile needs of a shell: a virtual environment, a project, the brokers that the tests start.
set -euo pipefail
cd "$(dirname "$0")/.."

# A version manager's shim may stand on PATH for a Python that is not there, so each one has to really run.
find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
        if [ -n "$candidate" ] && "$candidate" -c \
            'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    echo "error: No Python 3.11 or newer with venv was found" >&2
    echo >&2
    echo "hint: Install it (Debian and Ubuntu: apt-get install python3 python3-venv), or name it: make PYTHON=... " >&2
    return 1
}

# install [--group dev]: this checkout and what it needs, into .venv
install() {
    local python
    if ! .venv/bin/python -c 'import pip' >/dev/null 2>&1; then
        python=$(find_python)
        "$python" -m venv --clear .venv
    fi
    if [ $# -gt 0 ]; then
        .venv/bin/python -m pip install --quiet --upgrade 'pip>=25.1' # the first that knows dependency groups
    fi
    .venv/bin/python -m pip install --quiet --editable . "$@"
}

# new DEST [option...]: interactive in a terminal, the defaults without one
new() {
    if [ -z "${1:-}" ]; then
        echo 'error: No destination given' >&2
        echo >&2
        echo 'hint: make new DEST=../orders' >&2
        return 2
    fi
    if [ -t 0 ] && [ -t 1 ]; then
        .venv/bin/bgtasks new "$@"
    else
        .venv/bin/bgtasks new "$@" --defaults
    fi
}

# brokers: redis-server, rabbitmq-server, faketime for wrong clocks and the curl of the READMEs, by apt-get where
# that is allowed
brokers() {
    local missing=() name sudo=()
    for name in redis-server rabbitmq-server faketime curl; do
        command -v "$name" >/dev/null || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || sudo=(sudo -n)
    if command -v apt-get >/dev/null && { [ ${#sudo[@]} = 0 ] || sudo -n true 2>/dev/null; }; then
        echo "Installing ${missing[*]}"
        "${sudo[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 update
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}" >/dev/null
        return
    fi
    echo "warning: Tests that need ${missing[*]} will be skipped, or fail when CI is set" >&2
    echo "  Install with your package manager: ${missing[*]} (Debian, Ubuntu), redis rabbitmq libfaketime curl (Homebrew)" >&2
}

"$@"
