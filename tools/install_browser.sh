#!/bin/sh
# Install Debian's Chromium without a window for the tests of pages, where that is possible and it is not there yet.
# Never fails: the tests take another browser that is there, and without any they are skipped, and say so.
found() {
    for name; do command -v "$name" >/dev/null 2>&1 && return; done
    return 1
}
get() {
    DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=0 -o Acquire::http::Timeout=15 "$@" >/dev/null 2>&1
}

[ -z "${CHROME_PATH:-}" ] || exit 0 # a browser was chosen
found chromium-headless-shell chrome-headless-shell && exit 0
if [ "$(id -u)" = 0 ] && found apt-get; then
    echo "Installing Chromium for the tests of pages."
    get update
    get install --yes --no-install-recommends chromium-headless-shell && exit 0
fi
found chromium chromium-browser google-chrome google-chrome-stable chrome && exit 0
get install --yes --no-install-recommends chromium ||
    echo "Chromium could not be installed: the tests of pages are skipped."
exit 0
