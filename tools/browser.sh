#!/bin/sh
# Say whether there is a Chromium for the browser tests; get Debian's where that is allowed.
set -u
has_browser() {
    for name in ${CHROMIUM:-chromium chromium-browser google-chrome}; do
        command -v "$name" >/dev/null 2>&1 && return 0
    done
    return 1
}

has_browser && exit 0
if [ -z "${CHROMIUM:-}" ] && command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        as_root=no
    fi
    if [ "$as_root" != no ]; then
        echo "Installing chromium ..."
        $as_root apt-get update -qq
        DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends \
            chromium >/dev/null
    fi
fi
has_browser && exit 0
echo "Chromium is missing: install it (Debian, Ubuntu: apt install chromium), or name one with CHROMIUM=<path>." >&2
exit 1
