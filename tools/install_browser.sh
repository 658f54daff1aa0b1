#!/bin/sh
# Install Debian's Chromium for the tests of pages, where that is possible and there is no browser yet. Never fails:
# without a browser those tests are skipped, and say so.
[ -z "${CHROME_PATH:-}" ] || exit 0 # a browser was chosen
for name in chromium chromium-browser google-chrome google-chrome-stable chrome; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || exit 0
echo "Installing Chromium for the tests of pages."
export DEBIAN_FRONTEND=noninteractive
{ apt-get update && apt-get install --yes --no-install-recommends chromium; } >/dev/null 2>&1 ||
    echo "Chromium could not be installed: the tests of pages are skipped."
exit 0
