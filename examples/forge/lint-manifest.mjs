// Checks manifest.yml against the schema that Forge's own tools use.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const tools = createRequire(require.resolve("@forge/manifest"));
const Ajv = tools("ajv").default;
const { parse } = tools("yaml");
const schema = JSON.parse(readFileSync(new URL("node_modules/@forge/manifest/out/schema/manifest-schema.json", import.meta.url), "utf8"));
const manifest = parse(readFileSync(new URL("manifest.yml", import.meta.url), "utf8"));
const ajv = new Ajv({ strict: false, allErrors: true, allowUnionTypes: true, logger: false });
tools("ajv-formats")(ajv);
const validate = ajv.compile(schema);
if (!validate(manifest)) {
  for (const { instancePath, message } of validate.errors.slice(0, 20)) console.error(`manifest.yml ${instancePath}: ${message}`);
  process.exit(1);
}
const functions = new Set(manifest.modules.function.map(({ key }) => key));
const used = manifest.modules["jiraServiceManagement:assetsImportType"].flatMap((type) => ["startImport", "stopImport", "importStatus", "onDeleteImport"].map((call) => type[call].function));
for (const name of used) if (!functions.has(name)) throw new Error(`no function ${name}`);
const { paths } = JSON.parse(readFileSync(new URL("../../openapi/openapi.json", import.meta.url), "utf8"));
const endpoints = new Map(manifest.modules.endpoint.map((endpoint) => [endpoint.key, endpoint]));
for (const { key, endpoint } of [...manifest.modules.scheduledTrigger, ...manifest.modules.preUninstall]) {
  const path = endpoints.get(endpoint)?.route?.path;
  if (!paths[path]?.post) throw new Error(`${key}: the service has no POST ${path}`);
}
console.log("manifest.yml is valid");
