#!/usr/bin/env bash
# Prepares a Debian 12 machine with git and Go for `make demo`, `make test` and
# `make lint`: installs the missing Debian packages, unpacks Asterisk into
# private folders of the cache, and builds the two linters there.
# It may be run as often as one likes, by several at once; when nothing is
# missing it says nothing and takes well under a second.
#
#   ASTERISK="22 16"   versions to prepare, any of 22 and 16
#   DEBIAN_MIRROR=…    mirror for Asterisk's folders, instead of debootstrap's own choice
set -euo pipefail
export LC_ALL=C

cache=${XDG_CACHE_HOME:-$HOME/.cache}/markaz
log=$cache/setup.log
gofumpt=v0.12.0
staticcheck=v0.8.2

say() { printf 'setup: %s\n' "$*" >&2; }

# quiet runs a command and shows what it printed only when it failed.
quiet() {
  if ! "$@" >"$log" 2>&1 </dev/null; then
    say "failed: $*"
    tail -n 40 "$log" >&2
    return 1
  fi
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# install_packages installs what is missing. Debian would start the services it
# installs; policy-rc.d is the documented way to say no.
install_packages() {
  local missing=() pair
  for pair in redis-server:redis-server debootstrap:debootstrap sox:sox espeak-ng:espeak-ng \
    pgrep:procps unshare:util-linux mount:mount gcc:gcc make:make; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
  done
  [ ${#missing[@]} = 0 ] && return
  say "installing ${missing[*]}"
  local policy=/usr/sbin/policy-rc.d ours=
  if [ ! -e $policy ]; then
    ours=1
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod 755 $policy
  fi
  local ok=0
  {
    quiet as_root apt-get -q update &&
      quiet as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${missing[@]}"
  } || ok=1
  [ -z "$ours" ] || as_root rm -f $policy
  return $ok
}

# install_asterisk VERSION SUITE: a folder is either whole or not there, because
# it is built under another name and renamed.
install_asterisk() {
  local version=$1 suite=$2 root=$cache/asterisk-$1
  [ -x "$root/usr/sbin/asterisk" ] && return
  say "unpacking Asterisk $version (about a minute)"
  local new=$cache/asterisk-$version.new
  as_root rm -rf "$new"
  quiet as_root "$(PATH=$PATH:/usr/sbin command -v debootstrap)" --variant=minbase \
    --include=asterisk,asterisk-core-sounds-en-wav,sip-tester "$suite" "$new" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}
  as_root touch "$new/etc/hosts" # the test bed mounts its own over it
  as_root rm -rf "$new"/var/cache/apt/archives/*.deb "$new"/var/lib/apt/lists/*
  local got
  got=$(as_root chroot "$new" /usr/sbin/asterisk -V)
  case $got in
  "Asterisk $version."*) as_root mv "$new" "$root" ;;
  *)
    say "Debian $suite has $got, Asterisk $version is needed"
    return 1
    ;;
  esac
}

# install_tool NAME MODULE VERSION: bin/NAME-VERSION, and bin/NAME as a link to it.
install_tool() {
  local bin=$cache/bin/$1-$3
  if [ ! -x "$bin" ]; then
    say "building $1 $3"
    local new=$cache/bin/$1.new
    quiet env GOBIN="$new" GOFLAGS= go install "$2@$3"
    mv "$new/$1" "$bin"
    rmdir "$new"
  fi
  ln -sfn "$1-$3" "$cache/bin/$1"
}

main() {
  mkdir -p "$cache/bin"
  exec 9>"$cache/setup.lock"
  flock 9
  install_packages
  local version
  for version in ${ASTERISK:-22 16}; do
    case $version in
    22) install_asterisk 22 sid ;;
    16) install_asterisk 16 bullseye ;;
    *)
      say "ASTERISK must be 22 or 16, not $version"
      return 2
      ;;
    esac
  done
  install_tool gofumpt mvdan.cc/gofumpt "$gofumpt"
  install_tool staticcheck honnef.co/go/tools/cmd/staticcheck "$staticcheck"
}

main
