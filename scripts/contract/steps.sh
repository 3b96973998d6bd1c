# The steps of `make contract`; scripts/contract.sh runs every function called `step_…`.
# shellcheck shell=bash
# shellcheck disable=SC2154 # tools, document, log, base_url, admin_key come from scripts/contract.sh

# The committed document and page of errors are what the program says.
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

step_redocly() {
    local redocly
    redocly=$(npm_tool @redocly/cli@2.77.0 redocly) || skip redocly "the npm package @redocly/cli could not be installed"
    REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true "$redocly" lint "$document"
}

# Licences, bans and sources, as deny.toml says.
step_cargo_deny() {
    local deny
    deny=$(cargo_tool cargo-deny@0.20.2 cargo-deny) || skip cargo-deny "the crate cargo-deny could not be installed"
    "$deny" --all-features check bans licenses sources
}

# Known vulnerabilities. Their database is downloaded, so a closed network has to pass this over.
step_advisories() {
    local deny
    deny=$(cargo_tool cargo-deny@0.20.2 cargo-deny) || skip advisories "the crate cargo-deny could not be installed"
    "$deny" fetch db >"$log/advisories" 2>&1 || skip advisories "the advisory database could not be downloaded"
    "$deny" --all-features check advisories
}
