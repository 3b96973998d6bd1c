#!/usr/bin/env bash
# Stands in for `az rest`: forwards method, URL and body to $GRAPH with the administrator's $TOKEN.
set -euo pipefail
[ "$1" = rest ] || { echo "only az rest is there" >&2; exit 2; }
shift
method=GET body=()
while [ $# -gt 0 ]; do
  case "$1" in
    --method) method=$2 ;;
    --url | --uri) url=$2 ;;
    --headers) ;;
    --body) body=(--data "$2") ;;
    *) echo "unknown option $1" >&2; exit 2 ;;
  esac
  shift 2
done
case "$url" in https://graph.microsoft.com/*) ;; *) echo "$url is not Microsoft Graph" >&2; exit 2 ;; esac
answer=$(curl --silent --show-error --globoff --write-out '\n%{http_code}' --request "$method" \
  --header "Authorization: Bearer $TOKEN" --header 'Content-Type: application/json' "${body[@]}" \
  "$GRAPH${url#https://graph.microsoft.com}")
echo "${answer%$'\n'*}"
case "${answer##*$'\n'}" in
  2*) ;;
  # Granting twice is refused by Entra and changes nothing.
  400) case "$answer" in *"already exists"*) ;; *) exit 1 ;; esac ;;
  *) exit 1 ;;
esac
