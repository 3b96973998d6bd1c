# The steps of `make contract` that check deploy/, compose.yaml and the workflows with the tools of those who read them.
# shellcheck shell=bash
# shellcheck disable=SC2154 # tools, log, API_URL… come from scripts/contract.sh

# Prometheus itself asks the service, loads the alert rules, and answers every query of the dashboard.
step_dashboard() {
    local prometheus promtool dir address
    prometheus=$(debian_tool prometheus prometheus)
    promtool=$(debian_tool prometheus promtool)
    start_service
    run_with_metrics
    dir=$(mktemp -d)
    cp deploy/prometheus/alerts.yml "$dir/"
    cat >"$dir/prometheus.yml" <<YAML
global: {scrape_interval: 1s}
rule_files: [alerts.yml]
scrape_configs:
  - job_name: entra-assets
    static_configs: [{targets: ["${API_URL#http://}"]}]
YAML
    : >"$log/prometheus.log"
    "$prometheus" --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/data" --web.listen-address=127.0.0.1:0 \
        >"$log/prometheus.log" 2>&1 &
    local server=$!
    at_exit "kill $server; wait $server 2>/dev/null; rm -rf '$dir'"
    wait_for $server 'msg="Listening on"' "$log/prometheus.log"
    address=$(sed -n 's/.*msg="Listening on" address=//p' "$log/prometheus.log")
    ask() { "$promtool" query instant "http://$address" "$1"; }
    # Rates need some samples.
    for _ in $(seq 60); do
        [ -n "$(ask 'rate(http_requests_total[10s])' 2>/dev/null)" ] && break
        sleep 1
    done
    local query answers=0
    # shellcheck disable=SC2016 # Grafana's variables are meant
    while IFS= read -r query; do
        [ -n "$(ask "$query")" ] || { echo "the dashboard's query has no answer: $query"; return 1; }
        answers=$((answers + 1))
    done < <(jq -r '.panels[].targets[]?.expr' deploy/grafana/entra-assets.json |
        sed 's/\$__rate_interval/30s/g; s/\$\(organization\|job\)"/.*"/g')
    echo "$answers queries of the dashboard have answers"
    [ "$answers" -gt 20 ]
}

# The units: systemd knows every line of them, and what they may do is little.
step_systemd() {
    need systemd-analyze systemd || skip systemd "there is no systemd-analyze, and systemd could not be installed"
    local dir=$tools/systemd unit
    mkdir -p "$dir"
    # The programs are not installed here; any other one stands for them.
    for unit in deploy/systemd/*.service deploy/systemd/*.timer; do
        sed "s,^ExecStart=/usr/local/bin/[a-z-]*,ExecStart=$(type -P true)," "$unit" >"$dir/$(basename "$unit")"
    done
    systemd-analyze verify --recursive-errors=no "$dir"/*.service "$dir"/*.timer
    # From 0, nothing, to 100, everything; an ordinary service has more than 90.
    systemd-analyze security --offline=true --threshold=20 --no-pager "$dir/entra-assets.service" >"$log/systemd" ||
        { cat "$log/systemd"; return 1; }
    tail -1 "$log/systemd"
}

# The manifests have the form that Kubernetes' own schemas ask for, also as kubectl builds them.
step_kubernetes() {
    local bin folder
    bin=$(python_tools kubernetes kubernetes-validate==1.37.0) ||
        skip kubernetes "the Python package kubernetes-validate could not be installed"
    validate() { "$bin/kubernetes-validate" --strict --quiet -k 1.32 "$@"; }
    validate deploy/kubernetes/{base/{api,worker,network-policy,service-account},migrate/job,example/{ingress,namespace}}.yaml
    if ! type -P kubectl >/dev/null; then
        echo "without kubectl the folders are not built"
        return
    fi
    for folder in base migrate example example/migrate; do
        kubectl kustomize "deploy/kubernetes/$folder" >"$log/kubernetes.yaml"
        validate "$log/kubernetes.yaml"
    done
}

# compose.yaml and the workflows have the form that Docker and GitHub ask for; the workflows have no known weakness.
step_schemas() {
    local bin
    bin=$(python_tools schemas check-jsonschema==0.39.0 zizmor==1.32.0) ||
        skip schemas "the Python package check-jsonschema or zizmor could not be installed"
    "$bin/check-jsonschema" --builtin-schema vendor.compose-spec compose.yaml
    "$bin/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml
    "$bin/zizmor" --offline --no-progress --quiet --min-severity=medium .github/workflows
}

# Both proxies of deploy/ stand in front of the service: calls and events pass, and /metrics is not there.
step_proxies() {
    local caddy nginx name folders='' port dir=$tools/proxies
    caddy=$(debian_tool caddy caddy)
    nginx=$(debian_tool nginx nginx)
    start_service
    examples/curl.sh >"$log/proxies.before" # a run
    local service=${API_URL#http://}
    rm -rf "$dir" && mkdir -p "$dir"
    openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
        -keyout "$dir/entra-assets.key" -out "$dir/entra-assets.pem" 2>/dev/null

    port=$(free_port)
    sed "s,/etc/nginx/tls/,$dir/,; s/listen 443 ssl/listen 127.0.0.1:$port ssl/; s/server 127.0.0.1:8080/server $service/" \
        deploy/proxy/nginx.conf >"$dir/entra-assets.conf"
    for name in client_body proxy fastcgi uwsgi scgi; do folders+="${name}_temp_path $dir/$name; "; done
    echo "daemon off; pid $dir/pid; events {} http { access_log off; $folders include $dir/entra-assets.conf; }" >"$dir/nginx.conf"
    "$nginx" -e "$log/nginx" -p "$dir" -c "$dir/nginx.conf" &
    at_exit "kill $!"
    works_through "https://localhost:$port" "$dir/entra-assets.pem"

    # An address and a certificate of its own; the rest is as it stands in the file.
    port=$(free_port)
    SITE=https://localhost:$port UPSTREAM=$service "$caddy" adapt --config deploy/proxy/Caddyfile 2>"$log/caddy" |
        jq --argjson unused "$(free_port)" '.admin.disabled = true | .apps.http.http_port = $unused' >"$dir/caddy.json"
    HOME=$dir XDG_DATA_HOME=$dir/data XDG_CONFIG_HOME=$dir "$caddy" run --config "$dir/caddy.json" >>"$log/caddy" 2>&1 &
    at_exit "kill $!"
    works_through "https://localhost:$port" "$dir/data/caddy/pki/authorities/local/root.crt"
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# A proxy serves the API with its events, and not the metrics.
works_through() { # URL AUTHORITY
    export API_URL=$1 CURL_CA_BUNDLE=$2
    for _ in $(seq 100); do
        curl --silent --fail --output /dev/null "$API_URL/readyz" && break
        sleep 0.2
    done
    local run
    run=$(call '/runs?limit=1' | jq -r '.items[0].id')
    call "/runs/$run/events" --header 'Accept: text/event-stream' | grep '"state":"succeeded"' >/dev/null
    call /tickets --json "{\"path\": \"/v1/runs/$run/report?format=csv\"}" | jq -e .url >/dev/null
    [ "$(curl --silent --output /dev/null --write-out '%{http_code}' "$API_URL/metrics")" = 404 ]
    curl --silent --head "$API_URL/readyz" | grep --ignore-case '^strict-transport-security:' >/dev/null
}

# Whoever installs the service can set everything: each setting is in the examples, or fixed by them.
step_settings() {
    local name names missing=0
    names=$(target/debug/entra-assets serve --help | grep -o '\[env: [A-Z_]*' | cut -c7- | sort -u)
    for name in $names; do
        # The file of a secret: the rule is in README.md.
        [ "${name%_FILE}" != "$name" ] && grep -qx "${name%_FILE}" <<<"$names" && continue
        grep -q "^#$name=" deploy/systemd/environment.example || { echo "environment.example lacks $name"; missing=1; }
        # The image's command, its address and its missing data directory are fixed; migrations are a service of their own.
        case $name in ENTRA_ASSETS_LISTEN | ENTRA_ASSETS_MIGRATE_URL | ENTRA_ASSETS_ROLE | ENTRA_ASSETS_DATA_DIR) continue ;; esac
        grep -q "^    $name:" compose.yaml || { echo "compose.yaml lacks $name"; missing=1; }
    done
    return $missing
}
