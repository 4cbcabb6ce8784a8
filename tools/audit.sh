#!/bin/sh
# Compare the locked packages with the list of known faults. Ends with 1 when there is one.
# The list is on the network: where it cannot be had, that is said, and it counts as a fault only
# with AUDIT_REQUIRED=1.
set -u
cd "$(dirname "$0")/.."
tool=.venv/audit/bin/python
if [ ! -f .venv/audit/installed ]; then
    .venv/bin/python -m venv .venv/audit \
        && $tool -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-audit.txt \
        && touch .venv/audit/installed
fi
said=$($tool -m pip_audit -r requirements.txt --require-hashes --disable-pip --progress-spinner off 2>&1)
code=$?
case "$said" in
*"No known vulnerabilities"*) echo "audit: no known fault in the locked packages" ;;
*"known vulnerabilit"*)
    echo "$said"
    exit 1
    ;;
*)
    echo "audit: the list of known faults could not be read (code $code)" >&2
    [ -z "${AUDIT_REQUIRED:-}" ] || exit 1
    ;;
esac
