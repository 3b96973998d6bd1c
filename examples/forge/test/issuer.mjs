// Stands in for Atlassian: publishes a signing key as Forge does, and prints the settings of a service that trusts it.
// It ends with the process that started it.
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";

const APP = "ari:cloud:ecosystem::app/00000000-0000-4000-8000-000000000000";
const [file] = process.argv.slice(2);
const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const jwk = { ...publicKey.export({ format: "jwk" }), kid: "forge/invocation-token/test", alg: "RS256", use: "sig" };
writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }));

const server = createServer((_, answer) => answer.setHeader("Content-Type", "application/json").end(JSON.stringify({ keys: [jwk] })));
server.listen(0, "127.0.0.1", () => {
  const jwksUrl = `http://127.0.0.1:${server.address().port}/jwks.json`;
  const issuers = [{ issuer: "forge/invocation-token", audience: APP, jwksUrl }];
  console.log(`export ENTRA_ASSETS_FORGE_APP_ID='${APP}' ENTRA_ASSETS_JWT_ISSUERS='${JSON.stringify(issuers)}' FORGE_KEY='${file}'`);
});
const parent = process.ppid;
setInterval(() => process.ppid !== parent && process.exit(0), 500);
