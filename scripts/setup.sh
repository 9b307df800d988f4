#!/usr/bin/env bash
# Prepares a Debian 12 machine with git and Go: installs the missing Debian
# packages, unpacks Asterisk into private folders of the cache, and builds the
# two linters there. It may be run as often as one likes, by several at once;
# when nothing is missing it says nothing and takes well under a second.
#
#   scripts/setup.sh [22] [16] [lint]   only these of Asterisk 22, Asterisk 16, linters
#   DEBIAN_MIRROR=…                     mirror for Asterisk, instead of debootstrap's own choice
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

# missing_packages prints the packages whose command is not there.
missing_packages() {
  local pair
  for pair in redis-server:redis-server debootstrap:debootstrap sox:sox espeak-ng:espeak-ng \
    promtool:prometheus chromium:chromium pgrep:procps unshare:util-linux mount:mount gcc:gcc make:make; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%:*}" >/dev/null || echo "${pair##*:}"
  done
  [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
  [ -e /usr/include/stdlib.h ] || echo libc6-dev
}

# install_packages installs them. Debian would start the services that it
# installs; policy-rc.d is the documented way to say no.
install_packages() {
  local missing policy=/usr/sbin/policy-rc.d
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} = 0 ] && return
  say "installing ${missing[*]}"
  if [ ! -e $policy ]; then
    trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod 755 $policy
  fi
  quiet as_root apt-get -q update
  quiet as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${missing[@]}"
  if [[ " ${missing[*]} " == *" redis-server "* && -d /run/systemd/system ]]; then
    quiet as_root systemctl disable redis-server # the tests start their own
  fi
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
  [ $# -gt 0 ] || set -- 22 16 lint
  local part
  for part in "$@"; do
    case $part in
    22) install_asterisk 22 sid ;;
    16) install_asterisk 16 bullseye ;;
    lint)
      install_tool gofumpt mvdan.cc/gofumpt "$gofumpt"
      install_tool staticcheck honnef.co/go/tools/cmd/staticcheck "$staticcheck"
      ;;
    *)
      say "unknown part $part"
      return 2
      ;;
    esac
  done
}

main "$@"
