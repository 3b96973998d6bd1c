# The steps of `make contract`; scripts/contract.sh runs every function called `step_…`.
# shellcheck shell=bash
# shellcheck disable=SC2154 # tools, document, log, API_URL… come from scripts/contract.sh

# The committed document and page of errors are current.
step_document() {
    local new=$tools/document
    mkdir -p "$new"
    target/debug/entra-assets openapi --write "$new"
    target/debug/entra-assets openapi --errors >"$new/errors.md"
    for pair in "$document openapi.json" "openapi/openapi.yaml openapi.yaml" "docs/errors.md errors.md"; do
        read -r committed generated <<<"$pair"
        diff "$committed" "$new/$generated" >"$log/document.diff" ||
            { head -20 "$log/document.diff"; echo "$committed is not current: run make openapi"; return 1; }
    done
}

# Redocly's recommended rules, every one.
step_redocly() {
    local bin
    bin=$(npm_tools redocly @redocly/cli@2.77.0) || skip redocly "the npm package @redocly/cli could not be installed"
    REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true "$bin/redocly" lint --extends=recommended "$document"
}

# Generated requests, valid and invalid ones, alone and along the document's links: does the service behave as the document says?
step_schemathesis() {
    local bin
    bin=$(python_tools schemathesis schemathesis==4.32.5) ||
        skip schemathesis "the Python package schemathesis could not be installed"
    start_service
    examples/curl.sh >"$log/schemathesis.before" # objects to read
    CONNECTION_ID=$(call /connections | jq -r '.items[0].id')
    JOB_ID=$(call /jobs | jq -r '.items[0].id')
    export CONNECTION_ID JOB_ID
    # An error is the tool's own, for example a fault that did not show again when it repeated the request: what it
    # found is printed, and the whole step is run once more. A failure of a check is final.
    run_schemathesis "$bin" || { ! grep --quiet '=== FAILURES' "$log/schemathesis" && run_schemathesis "$bin"; }
}

run_schemathesis() { # FOLDER
    SCHEMATHESIS_HOOKS=scripts/contract/checks.py "$1/schemathesis" --config-file scripts/contract/schemathesis.toml \
        run "$document" --url "$API_URL" --header "Authorization: Bearer $API_KEY" --checks all --seed 1 \
        --max-examples 15 --workers 2 --continue-on-failure --no-color >"$log/schemathesis" 2>&1 ||
        { sed -n '/=== \(ERRORS\|FAILURES\)/,$p' "$log/schemathesis" | head -400; tail -30 "$log/schemathesis"; return 1; }
    tail -12 "$log/schemathesis"
}

# Every operation of the document with every kind of caller.
step_authorization() {
    start_service
    examples/curl.sh >"$log/authorization.before" # a run
    python3 scripts/contract/authorization.py
}

# No secret is where it does not belong: in the log at its loudest, an answer, the metrics, a report, or the database.
step_leaks() {
    local dir secret name run
    dir=$(mktemp -d)
    export ENTRA_ASSETS_LOG=trace
    start_service
    at_exit "rm -rf '$dir'"
    examples/curl.sh >"$dir/walk-through"
    run=$(call '/runs?limit=1' | jq -r '.items[0].id')
    call /webhooks --json '{"name": "Leak", "url": "https://hooks.example.com/", "secret": "marked-webhook-secret-of-32-characters"}' >"$dir/webhook"
    call /connection-checks --json "$(jq -n '{tenantId: env.TENANT_ID, clientId: env.CLIENT_ID,
        credential: {kind: "clientSecret", secret: "marked-wrong-client-secret~of-forty-characters"}}')" >"$dir/check"
    for name in connections destinations filters jobs runs webhooks api-keys audit-events "runs/$run/events" "runs/$run/changes" \
        "runs/$run/report?format=json" "runs/$run/report?format=csv"; do
        call "/$name" >"$dir/$(tr '/?' '__' <<<"$name")"
    done
    curl --silent "$API_URL/metrics" >"$dir/metrics"
    cp "$log/serve.log" "$dir/log"
    PATH=${PG_BIN_DIR:+$PG_BIN_DIR:}$PATH ENTRA_ASSETS_DATA_DIR=$SERVICE_DATA_DIR deploy/backup.sh "$dir/backup" >/dev/null
    PATH=${PG_BIN_DIR:+$PG_BIN_DIR:}$PATH pg_restore --file="$dir/database" "$dir"/backup/*.dump
    rm -r "$dir/backup"
    # What is searched is really there.
    grep --quiet --fixed-strings 'run claimed' "$dir/log"
    grep --quiet --fixed-strings 'COPY public.mirror_delivered' "$dir/database"
    [ "$(wc -c <"$dir/log")" -gt 100000 ]
    for secret in "$CLIENT_SECRET" "$IMPORT_TOKEN" "$API_KEY" "$(cat "$SERVICE_DATA_DIR/master-key")" \
        marked-webhook-secret-of-32-characters marked-wrong-client-secret~of-forty-characters; do
        if grep --fixed-strings --files-with-matches -e "$secret" "$dir"/*; then
            echo "a secret is in these: $(grep --fixed-strings -h -m1 -e "$secret" "$dir"/* | cut -c1-300)"
            return 1
        fi
    done
}

# The README's walk-through.
step_curl_example() {
    start_service
    examples/curl.sh
    everything_arrived
}

# The client that openapi-generator makes. Sets `bin` and `client`; WHO: the step, for the message when it is skipped.
openapi_generator_client() { # WHO
    client=$tools/python-client
    need java default-jre-headless || skip "$1" "there is no Java for openapi-generator, and it could not be installed"
    bin=$(python_tools client openapi-generator-cli==7.26.0 mypy==1.20.2 types-python-dateutil==2.9.0.20261116 \
        pydantic==2.14.4 urllib3==2.8.0 python-dateutil==2.9.0.post0 typing-extensions==4.16.0) ||
        skip "$1" "the Python package openapi-generator-cli or mypy could not be installed"
    rm -rf "$client"
    "$bin/openapi-generator-cli" generate --generator-name python --input-spec "$document" --output "$client" \
        --package-name entra_assets_client >"$log/openapi-generator" 2>&1 || { tail -30 "$log/openapi-generator"; return 1; }
}

# A client that openapi-generator makes, checked by mypy, does the main job.
step_python_example() {
    local bin client
    openapi_generator_client python_example
    (cd "$client" && "$bin/mypy" --package entra_assets_client)
    MYPYPATH=$client "$bin/mypy" --config-file scripts/contract/mypy.ini --strict --follow-imports=silent examples/python/import_directory.py
    start_service
    PYTHONPATH=$client "$bin/python" examples/python/import_directory.py
    everything_arrived
}

# A client that openapi-generator makes sends and reads every form of a condition tree without loss.
step_where_openapi_generator() {
    local bin client
    openapi_generator_client where_openapi_generator
    start_service
    PYTHONPATH=$client "$bin/python" scripts/contract/where_openapi_generator.py
}

# A client that openapi-generator makes does the main job: a condition tree, an explanation, a delivery that is sent again.
step_main_job_openapi_generator() {
    local bin client
    openapi_generator_client main_job_openapi_generator
    MYPYPATH=$client:scripts/contract "$bin/mypy" --config-file scripts/contract/mypy.ini --strict --follow-imports=silent \
        scripts/contract/main_job_openapi_generator.py
    start_service
    PYTHONPATH=$client "$bin/python" scripts/contract/main_job_openapi_generator.py
    everything_arrived
}

# The client that openapi-python-client makes. Sets `bin` and `clients`; WHO: the step, for the message when it is skipped.
openapi_python_client() { # WHO
    clients=$tools/openapi-python-client
    bin=$(python_tools openapi-python-client openapi-python-client==0.29.1 mypy==1.20.2 types-python-dateutil==2.9.0.20261116) ||
        skip "$1" "the Python package openapi-python-client or mypy could not be installed"
    rm -rf "$clients" && mkdir -p "$clients"
    "$bin/openapi-python-client" generate --path "$document" --meta none --overwrite \
        --output-path "$clients/entra_assets_client_2" >"$log/openapi-python-client" 2>&1 ||
        { tail -30 "$log/openapi-python-client"; return 1; }
}

# The same two for a client that openapi-python-client makes.
step_where_openapi_python_client() {
    local bin clients
    openapi_python_client where_openapi_python_client
    start_service
    PYTHONPATH=$clients "$bin/python" scripts/contract/where_openapi_python_client.py
}

step_main_job_openapi_python_client() {
    local bin clients
    openapi_python_client main_job_openapi_python_client
    MYPYPATH=$clients:scripts/contract "$bin/mypy" --strict --follow-imports=silent scripts/contract/main_job_openapi_python_client.py
    start_service
    PYTHONPATH=$clients "$bin/python" scripts/contract/main_job_openapi_python_client.py
    everything_arrived
}

# The same with the types of openapi-typescript as it makes them by default, and with the functions of @hey-api/openapi-ts.
step_main_job_typescript() {
    local project=$tools/main-job client
    mkdir -p "$project"
    cp scripts/contract/typescript/* "$project/"
    npm_install "$project" || skip main_job_typescript "the npm packages of scripts/contract/typescript could not be installed"
    OPENAPI=$PWD/$document npm --prefix "$project" --silent run generate
    npm --prefix "$project" --silent run build
    for client in openapi-fetch hey-api; do
        (start_service && node "$project/$client.js" && everything_arrived)
    done
}

# Types that openapi-typescript makes, checked by tsc, do the main job through openapi-fetch.
step_typescript_example() {
    local project=$tools/typescript-client
    mkdir -p "$project"
    cp examples/typescript/* "$project/"
    npm_install "$project" || skip typescript_example "the npm packages of examples/typescript could not be installed"
    OPENAPI=$PWD/$document npm --prefix "$project" run generate
    npm --prefix "$project" run build
    start_service
    npm --prefix "$project" start
    everything_arrived
}

# The console as a person uses it, in a browser without a window: the main job, every verdict, the brake, axe's rules.
step_console() {
    need npm npm || skip console "npm could not be installed"
    CHROMIUM=$(find_chromium) || skip console "Chromium could not be installed"
    export CHROMIUM
    scripts/console.sh
    # A receiver of webhooks on this machine, to which the service may send.
    WEBHOOK_RECEIVER=http://127.0.0.1:$(free_port)
    export WEBHOOK_RECEIVER ENTRA_ASSETS_WEBHOOK_ALLOW=$WEBHOOK_RECEIVER
    start_service
    npm --prefix console --silent test
}

# The Forge app of docs/FORGE.md: its manifest by the schema of Forge's own tools, its types, its functions, and the
# console within it. A key of our own and a stub of the bridge stand in for Forge.
step_forge_app() {
    local project=$PWD/examples/forge
    need npm npm || skip forge_app "npm could not be installed"
    npm_install "$project" --no-package-lock --ignore-scripts || skip forge_app "the npm packages of examples/forge could not be installed"
    npm --prefix "$project" --silent run lint
    npm --prefix "$project" --silent run check
    CHROMIUM=$(find_chromium) || skip forge_app "Chromium could not be installed"
    export CHROMIUM
    scripts/console.sh # installs what the console is built with
    npm --prefix "$project" --silent run console
    : >"$log/forge-issuer"
    node "$project/test/issuer.mjs" "$tools/forge-key.pem" >"$log/forge-issuer" &
    wait_for $! '^export' "$log/forge-issuer"
    eval "$(cat "$log/forge-issuer")"
    start_service
    npm --prefix "$project" --silent test
}

# The pictures of the documents, for `make screenshots`. This is no step.
screenshots() {
    CHROMIUM=$(find_chromium) || return 1
    export CHROMIUM
    scripts/console.sh
    start_service
    npm --prefix console --silent run screenshots
}

# The path of Chromium: of the system, otherwise Debian's package.
find_chromium() {
    type -P chromium || type -P google-chrome || { install_package chromium && type -P chromium; }
}

# The released program, without the simulators: no warnings, no unused code, none of their commands.
step_release() {
    cargo clippy --locked --quiet --package entra-assets --no-default-features -- -D warnings
}

# Dependencies that no code uses.
step_cargo_machete() {
    local machete
    machete=$(cargo_tool cargo-machete@0.9.2 cargo-machete) ||
        skip cargo-machete "the crate cargo-machete could not be installed"
    "$machete" --with-metadata
}

# A pooler that the service cannot work behind is refused, and one that it can is not: with pgbouncer as Debian has it.
step_pooler() {
    local pgbouncer
    pgbouncer=$(debian_tool pgbouncer pgbouncer libevent-2.1-7 libc-ares2)
    PGBOUNCER=$pgbouncer LD_LIBRARY_PATH=$(dirname "$(find "$tools" -path "*/pgbouncer/*/libevent*.so*" | head -1)") \
        cargo test --locked --quiet --test it database_url::a_pooler_ -- --ignored
}

# The metrics and alert rules, by Prometheus' own tool: names, types, help texts; the rules with recorded series.
step_promtool() {
    local promtool
    promtool=$(debian_tool prometheus promtool)
    "$promtool" check rules deploy/prometheus/alerts.yml
    (cd deploy/prometheus && "$promtool" test rules alerts_test.yml)
    start_service
    run_with_metrics
    grep --quiet 'entra_assets_job_last_run_state{.*state="succeeded"} 1' "$log/metrics"
    "$promtool" check metrics <"$log/metrics"
}

# Executes a run, and waits until its metrics are in "$log/metrics".
run_with_metrics() {
    examples/curl.sh >"$log/metrics.before"
    # The gauges of jobs and queue are set every 15 s.
    for _ in $(seq 60); do
        curl --silent --fail "$API_URL/metrics" >"$log/metrics"
        grep --quiet entra_assets_job_last_run_state "$log/metrics" && break
        sleep 1
    done
}

# Licences, bans and sources, as deny.toml says.
step_cargo_deny() {
    local deny
    deny=$(cargo_tool cargo-deny@0.20.2 cargo-deny) || skip cargo-deny "the crate cargo-deny could not be installed"
    "$deny" --all-features check bans licenses sources
}

# Known vulnerabilities. Their database is downloaded, so this is skipped in a closed network.
step_advisories() {
    local deny
    deny=$(cargo_tool cargo-deny@0.20.2 cargo-deny) || skip advisories "the crate cargo-deny could not be installed"
    "$deny" fetch db >"$log/advisories" 2>&1 || skip advisories "the advisory database could not be downloaded"
    "$deny" --all-features check advisories
}
