#!/usr/bin/env bash
# Provisions a tenant as the runbook says, or leaves nothing behind.
#
#   frostbyte-provision-tenant.sh TENANT_ID OCTET [OPTION...]
#
# TENANT_ID  1 to 32 small letters and digits; it is entered into the register if it is not there yet
# OCTET      1 to 254: its network is 10.OCTET.0.0/16
# OPTION     of `frostbyte tenant provision`: --shape small, --workers 2, --project NAME, --dry-run, --yes ...
#
# It asks the control plane that FROSTBYTE_CONTROL_URL and FROSTBYTE_CONTROL_TOKEN name, which does every step with its
# journal and rolls back what fails. The exit codes are those of `frostbyte` (docs/cli.md).
set -euo pipefail

usage() {
  echo "usage: ${0##*/} TENANT_ID OCTET [OPTION...]" >&2
  exit 2
}

[ $# -ge 2 ] || usage
tenant=$1 octet=$2
shift 2
if ! [[ $tenant =~ ^[a-z0-9]{1,32}$ ]]; then
  echo "error: a tenant's id is 1 to 32 small letters and digits" >&2
  usage
fi
if ! [[ $octet =~ ^[1-9][0-9]{0,2}$ ]] || [ "$octet" -gt 254 ]; then
  echo "error: an octet is a number from 1 to 254" >&2
  usage
fi
exec frostbyte tenant provision "$tenant" --octet "$octet" --create "$@"
