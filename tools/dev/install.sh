#!/usr/bin/env bash
# install.sh SECTION...: installs those Debian packages of the named sections
# of packages.txt that are missing. Says what and why. Becomes root only when
# something is missing; refreshes apt's lists only when they lack a package.
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
list="$here/packages.txt"

say() { echo "packages: $*" >&2; }

# The packages of one section, one a line.
packages_of() {
  awk -v section="[$1]" '
    /^\[/ { inside = ($0 == section); next }
    inside && NF && $1 !~ /^#/ { print $1 }' "$list"
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

has_candidate() {
  local line
  line="$(apt-cache policy "$1" 2>/dev/null | grep -m 1 'Candidate:')" || return 1
  case "$line" in *'(none)'*) return 1 ;; esac
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    env DEBIAN_FRONTEND=noninteractive "$@" </dev/null
  elif [ -t 0 ]; then
    sudo env DEBIAN_FRONTEND=noninteractive "$@"
  else
    sudo -n env DEBIAN_FRONTEND=noninteractive "$@" </dev/null
  fi
}

update() {
  say "refreshing the package lists (apt-get update)"
  as_root apt-get update -q -o DPkg::Lock::Timeout=300 >&2
}

install() {
  as_root apt-get install -y -q --no-install-recommends \
    -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" >&2
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  say "this is not a Debian system, so nothing is installed. What is needed" \
    "stands in $list."
  exit 0
fi

missing=()
for section in "$@"; do
  lacking=()
  for package in $(packages_of "$section"); do
    is_installed "$package" || lacking+=("$package")
  done
  if [ "${#lacking[@]}" -gt 0 ]; then
    say "missing for '$section': ${lacking[*]}"
    missing+=("${lacking[@]}")
  fi
done
[ "${#missing[@]}" -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
  say "they need root, and there is no sudo here. As root, run:" \
    "apt-get update && apt-get install --no-install-recommends ${missing[*]}"
  exit 1
fi

for package in "${missing[@]}"; do
  if ! has_candidate "$package"; then
    update
    break
  fi
done
say "installing ${missing[*]}"
if ! install "${missing[@]}"; then
  say "that failed; the package lists may be stale"
  update
  install "${missing[@]}"
fi
