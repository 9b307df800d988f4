#!/usr/bin/env bash
# A real Odoo for tests: Debian 11's odoo-14 with its own PostgreSQL, unpacked
# into a private folder of the cache, in its own mount and process namespaces.
#
#   scripts/odoo.sh install             some minutes, 2 GB; nothing when it is there
#   scripts/odoo.sh run PORT SECONDS    serves on 127.0.0.1:PORT with a fresh database "markaz"
#                                       (admin/admin), until SIGKILL (unshare heeds no SIGTERM)
#                                       or for so many seconds
set -euo pipefail
export LC_ALL=C

cache=${XDG_CACHE_HOME:-$HOME/.cache}/markaz
root=$cache/odoo-14
log=$cache/odoo-14.log
pg=/usr/lib/postgresql/13/bin
say() { printf 'odoo: %s\n' "$*" >&2; }

# inside runs commands in the folder, as root of namespaces that end with them.
inside() {
  unshare --mount --pid --fork --kill-child --mount-proc="$1/proc" chroot "$1" /bin/bash -euc "$2"
}

# database starts PostgreSQL on a socket alone.
database='
  mkdir -p /run/pg && chown postgres /run/pg
  su postgres -c "'$pg'/pg_ctl -s -w -D /var/lib/pg -o \"-k /run/pg -c listen_addresses= -c fsync=off\" -l /tmp/pg.log start"
'
odoo='su odoo -s /bin/sh -c "exec odoo --db_host=/run/pg --db_user=odoo --data-dir=/var/lib/odoo --without-demo=all --max-cron-threads=0 --no-database-list $ARGS"'

# Built under another name and renamed: whole, or not there.
install() {
  [ -d "$root" ] && return
  local new=$root.new
  rm -rf "$new"
  say "unpacking Odoo 14 (some minutes)"
  debootstrap --variant=minbase --include=postgresql,ca-certificates bullseye "$new" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$log" 2>&1
  printf '#!/bin/sh\nexit 101\n' >"$new/usr/sbin/policy-rc.d"
  chmod 755 "$new/usr/sbin/policy-rc.d"
  cp /etc/resolv.conf "$new/etc/resolv.conf"
  inside "$new" 'apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install odoo-14' >>"$log" 2>&1
  say "making its database"
  inside "$new" "
    mkdir -p /var/lib/pg && chown postgres /var/lib/pg
    su postgres -c '$pg/initdb -A trust -E UTF8 --locale=C.UTF-8 -D /var/lib/pg'
    $database
    su postgres -c 'createuser -h /run/pg -s odoo'
    ARGS='-d pattern -i contacts,crm --stop-after-init --no-http'; $odoo
    su postgres -c '$pg/pg_ctl -w -D /var/lib/pg stop'" >>"$log" 2>&1
  rm -rf "$new"/var/cache/apt/archives/*.deb "$new"/var/lib/apt/lists/*
  mv "$new" "$root"
}

run() {
  local port=$1 seconds=$2
  exec unshare --mount --pid --fork --kill-child --mount-proc="$root/proc" timeout "$seconds" chroot "$root" /bin/bash -euc "
    rm -f /var/lib/pg/postmaster.pid
    $database
    su postgres -c 'dropdb -h /run/pg --if-exists markaz && createdb -h /run/pg -T pattern -O odoo markaz'
    ARGS='-d markaz --http-interface=127.0.0.1 --http-port=$port --limit-time-real=60'; exec $odoo"
}

case ${1:-} in
install) install 9>"$cache/odoo.lock" ;;
run) run "$2" "$3" ;;
*)
  say "want install, or run PORT SECONDS"
  exit 2
  ;;
esac
