#!/usr/bin/env bash
# The postgres image runs this on a new volume. It creates the role that owns the database and the role of the
# service. Neither can bypass row-level security.
set -euo pipefail

psql --set=ON_ERROR_STOP=1 --set=owner_password="$OWNER_PASSWORD" --set=runtime_password="$RUNTIME_PASSWORD" \
    --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
CREATE ROLE entra_assets_owner LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'owner_password';
CREATE ROLE entra_assets LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'runtime_password';
CREATE DATABASE entra_assets OWNER entra_assets_owner;
REVOKE ALL ON DATABASE entra_assets FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE entra_assets TO entra_assets;
SQL
