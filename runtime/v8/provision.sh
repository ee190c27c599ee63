#!/usr/bin/env bash
# Makes the static V8 library available that the `v8` crate links, so that `cargo build` finds it.
#
# The crate's build script looks for it in $CARGO_HOME/.rusty_v8/, under its download address with everything but
# letters and digits turned into `_`. Three ways to put it there, the cheapest first:
#   1. it is there already: nothing to do;
#   2. download it from the v8 crate's release page (30 MB);
#   3. compile it from what package registries carry: build.sh beside this file, about 20 minutes on 2 cores.
#
# usage: provision.sh
# env:   V8_RELEASES     another address with the layout of the release page, for 2. The library is still stored under
#                        the name that the build script looks for.
#        V8_BUILD=0      fail instead of compiling
# Where RUSTY_V8_ARCHIVE or RUSTY_V8_MIRROR is set, the v8 crate is told where to look by hand: nothing is done here.
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
lock=$here/../../Cargo.lock
releases=https://github.com/denoland/rusty_v8/releases/download
bytes_min=20000000 # the real ones have about 30 MB; an error page, or half a download, has less

say() { printf 'v8: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

if [[ -n ${RUSTY_V8_ARCHIVE:-}${RUSTY_V8_MIRROR:-} ]]; then
  say "left to the v8 crate: RUSTY_V8_ARCHIVE or RUSTY_V8_MIRROR is set"
  exit 0
fi

case $OSTYPE-$HOSTTYPE in
  linux-gnu-x86_64) target=x86_64-unknown-linux-gnu ;;
  linux-gnu-aarch64) target=aarch64-unknown-linux-gnu ;;
  darwin*-x86_64) target=x86_64-apple-darwin ;;
  darwin*-aarch64 | darwin*-arm64) target=aarch64-apple-darwin ;;
  *) fail "no library is known for $OSTYPE on $HOSTTYPE; Isle runs on Linux and macOS, x86_64 and aarch64" ;;
esac

# The version is the one that Cargo.lock names: the line after `name = "v8"`.
version=$(sed -n '/^name = "v8"$/{n;s/^version = "\(.*\)"$/\1/p;q;}' "$lock")
[[ -n $version ]] || fail "$lock names no package v8"

asset=librusty_v8_simdutf_release_$target.a.gz # `simdutf`: deno_core turns this feature of the crate on
name=$releases/v$version/$asset
cached=${CARGO_HOME:-$HOME/.cargo}/.rusty_v8/${name//[^a-zA-Z0-9]/_}

[[ -s $cached ]] && exit 0

mkdir -p "${cached%/*}"
part=$cached.$$.part
trap 'rm -f "$part"' EXIT

download() {
  local url=${V8_RELEASES:-$releases}/v$version/$asset
  command -v curl >/dev/null || { say "no curl here, so no download"; return 1; }
  say "downloading $url"
  curl --fail --silent --show-error --location --connect-timeout 5 --speed-limit 20000 --speed-time 20 \
    --output "$part" "$url" || { say "the download did not work"; return 1; }
  local bytes
  bytes=$(wc -c <"$part")
  ((bytes >= bytes_min)) || { say "the download has $bytes bytes, expected at least $bytes_min"; return 1; }
  gzip --test "$part" || { say "the download is not a whole gzip file"; return 1; }
  mv "$part" "$cached"
}

if download; then
  say "ready: $cached"
  exit 0
fi

[[ ${V8_BUILD:-1} != 0 ]] || fail "not available, and V8_BUILD=0 forbids compiling it"
[[ $target == x86_64-unknown-linux-gnu ]] || fail "compiling it is only known to work on x86_64 Linux, this is $target"
say "compiling it instead, from package registries alone: about 20 minutes on 2 cores and 6 GB of disk, once"
"$here/build.sh" "$version" "$part"
mv "$part" "$cached"
say "ready: $cached"
