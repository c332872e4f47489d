#!/usr/bin/env bash
# Fills build/sysroot-aarch64 with the Arm libraries that the cross-built tests
# link: Debian's packages, unpacked, not installed. The machine's own package
# state is left alone, so no root is needed.
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
build="$(cd "$here/../.." && pwd)/build"
root="$build/sysroot-aarch64"
apt="$build/apt-aarch64"

mapfile -t packages < <(awk '
  /^\[/ { inside = ($0 == "[sysroot]"); next }
  inside && NF && $1 !~ /^#/ { print $1 }' "$here/packages.txt")

stamp="$root/.packages"
if [ "$(cat "$stamp" 2>/dev/null)" = "${packages[*]}" ]; then exit 0; fi

echo "sysroot: unpacking ${packages[*]} for arm64 into $root" >&2
rm -rf "$root" "$apt"
mkdir -p "$root" "$apt/lists/partial" "$apt/archives/partial"
: >"$apt/status"
options=(
  -q
  -o APT::Architecture=arm64
  -o APT::Architectures=arm64
  -o APT::Sandbox::User="$(id -un)"
  -o Debug::NoLocking=1
  -o Dir::State="$apt"
  -o Dir::State::lists="$apt/lists"
  -o Dir::State::status="$apt/status"
  -o Dir::Cache="$apt"
)
# An unreachable third-party source must not stop this; a package that cannot
# be found does, just below.
apt-get "${options[@]}" update >&2 || true
(cd "$apt/archives" && apt-get "${options[@]}" download "${packages[@]}" >&2)
for package in "$apt"/archives/*.deb; do
  dpkg-deb -x "$package" "$root"
done
rm -rf "$apt"
echo "${packages[*]}" >"$stamp"
