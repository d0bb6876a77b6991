#!/bin/sh
# Makes the tokens of the compose file, once: for operators in the folder $1, for Prometheus, which may only read, also
# in the folder $2.
#
# Each folder is a volume that only those see who need it, so its files may be read by every user there.
set -eu
umask 022

secret() {
    od -An -tx1 -N32 /dev/urandom | tr -d ' \n'
}

if [ -s "$1/admin.token" ] && [ -s "$2/prometheus.token" ]; then
    exit 0
fi
reader=$(secret)
printf '%s' "$reader" >"$2/prometheus.token"
# What is read first is written last, and whole.
printf 'operator operate %s\nprometheus read %s\n' "$(secret)" "$reader" >"$1/admin.token.new"
mv "$1/admin.token.new" "$1/admin.token"
