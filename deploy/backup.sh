#!/usr/bin/env bash
# Backs up the database into a file of FOLDER that only its owner can read, and deletes those older than DAYS (30).
#
#   backup.sh FOLDER [DAYS]
#
# BACKUP_DATABASE_URL is the database with a role that row-level security does not bind. Without it, the embedded database
# of ENTRA_ASSETS_DATA_DIR (/var/lib/entra-assets) is backed up, while the service runs. The master key is not in the
# backup: keep a copy of it elsewhere.
set -euo pipefail
umask 077

folder=$1 days=${2:-30}
mkdir -p "$folder"
file=$folder/entra-assets-$(date --utc +%Y-%m-%dT%H-%M-%SZ).dump
if [ -n "${BACKUP_DATABASE_URL:-}" ]; then
    database=("$BACKUP_DATABASE_URL")
else
    # Line 4 of the file is the port, line 5 the folder of the socket.
    mapfile -t server <"${ENTRA_ASSETS_DATA_DIR:-/var/lib/entra-assets}/postgres/postmaster.pid"
    database=("--host=${server[4]}" "--port=${server[3]}" --username=postgres entra_assets)
fi
# What is not whole has another name.
pg_dump --format=custom --file="$file.part" "${database[@]}"
pg_restore --list "$file.part" | grep 'TABLE DATA public organizations' >/dev/null
mv "$file.part" "$file"
find "$folder" -name 'entra-assets-*.dump*' -mtime "+$days" -delete
echo "$file"
