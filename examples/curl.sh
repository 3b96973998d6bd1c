#!/usr/bin/env bash
# From a connection to a result with curl and jq: how to import a directory into Assets.
#
# Needs the service's API key in API_KEY, and in TENANT_ID, CLIENT_ID, CLIENT_SECRET and IMPORT_TOKEN what the app
# registration and the import source in Assets show. API_URL: the address of the service.
set -euo pipefail

API=${API_URL:-http://127.0.0.1:8080}/v1

call() { # [CURL OPTION…] PATH
    # The key goes through a file descriptor: other users of the machine can read a command line.
    curl --silent --show-error --fail-with-body --header @<(printf 'Authorization: Bearer %s\n' "$API_KEY") \
        --header 'Content-Type: application/json' "${@:1:$#-1}" "$API${*: -1}"
}

# A connection, saved and checked in one step. The response names every missing permission and the commands that grant it.
connection=$(jq -n '{name: "Contoso", tenantId: env.TENANT_ID, clientId: env.CLIENT_ID,
    credential: {kind: "clientSecret", secret: env.CLIENT_SECRET}}' |
    call --data @- '/connections?check=true')
jq '.lastCheck | {overall, verdicts: [.capabilities[] | {(.capability): .verdict}] | add}' <<<"$connection"
connection=$(jq -r .id <<<"$connection")

# The filter, the destination, and the job that connects them.
filter=$(jq -n '{name: "Members and guests", users: {odata: "userType in ('"'Member','Guest'"')"}}' |
    call --data @- /filters | jq -r .id)
destination=$(jq -n '{name: "Assets", kind: "assetsImport", token: env.IMPORT_TOKEN, missingObjects: "ignore"}' |
    call --data @- /destinations | jq -r .id)
job=$(jq -n --arg connection "$connection" --arg filter "$filter" --arg destination "$destination" \
    '{name: "Nightly", connectionId: $connection, filterId: $filter, destinationId: $destination,
      schedule: {cron: "0 5 * * *", timezone: "Europe/Berlin", enabled: false}}' |
    call --data @- /jobs | jq -r .id)

# «Build objects/attributes»: the object types that the job fills. The first delivery would create them too.
call --request POST "/jobs/$job/schema" | jq '.difference | {inSync, addedObjectTypes}'

# A run, followed by long poll to its end, or until it waits for an approval.
run=$(call --data '{"mode": "full"}' "/jobs/$job/runs" | jq -r .id)
after=0 ended=false state=queued
while [ "$ended" = false ] && [ "$state" != awaitingApproval ]; do
    events=$(call "/runs/$run/events?after=$after&wait=20")
    jq -c '.items[] | [.id, .event, .data.state // .data.message // "\(.data.progress.stage): \(.data.progress.done)"]' <<<"$events"
    read -r after ended state < <(jq -r '"\(.nextAfter) \(.done) \(.state)"' <<<"$events")
done
if [ "$state" = awaitingApproval ]; then
    call "/runs/$run" | jq -r '.warnings[] | select(.code == "removal_brake") | .detail, .advice'
    echo "Approve: POST $API/runs/$run/approve    Cancel: POST $API/runs/$run/cancel" >&2
    exit 1
fi

# The result, one change, and one imported user.
call "/runs/$run/changes?limit=1" | jq '.items[] | {action, reason, "label"}'
user=$(call "/jobs/$job/objects?type=users&limit=1" | jq '.items[] | {id, displayName}' | tee -a /dev/stderr | jq -r .id)

# Why this user is imported: each step that decides, and the conclusion.
call "/jobs/$job/explain?user=$user" | jq '{conclusion, steps: [.steps[] | {(.step): .verdict}] | add}'
call "/runs/$run" | jq '{state, error, warnings, counts}'
