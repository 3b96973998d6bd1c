import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

const TOKENS = "virtual:atlassian-tokens.css";

/** Atlassian's design tokens as one style sheet. The package holds each theme as a text in a module. */
function atlassianTokens(): Plugin {
  return {
    name: "atlassian-tokens",
    resolveId: (id) => (id === TOKENS ? `\0${TOKENS}` : null),
    async load(id) {
      if (id !== `\0${TOKENS}`) return null;
      const themes = ["light", "dark", "spacing", "typography", "shape"];
      const modules = themes.map((theme) => import(`@atlaskit/tokens/dist/cjs/artifacts/themes/atlassian-${theme}.js`));
      return (await Promise.all(modules)).map((module: { default: { default: string } }) => module.default.default).join("\n");
    },
  };
}

/** How the console reaches the service. An app that contains the console brings a transport of its own. */
const transport = resolve(process.env.TRANSPORT ?? fileURLToPath(new URL("src/api/transport.ts", import.meta.url)));

export default defineConfig({
  // Relative, so that the console also works behind a proxy that adds a path.
  base: "./",
  plugins: [atlassianTokens()],
  resolve: { alias: { "#transport": transport } },
  // No file becomes a data: address, which the Content-Security-Policy would refuse.
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { proxy: { "/v1": process.env.API_URL ?? "http://127.0.0.1:8080" } },
});
