// Builds the console as a page of the app: the same pages, another transport.
import { fileURLToPath } from "node:url";
import { defineConfig, mergeConfig } from "vite";
import base from "../../console/vite.config.ts";

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

export default mergeConfig(
  base,
  defineConfig({
    root: path("../../console"),
    resolve: { alias: { "#transport": path("src/transport.ts"), "@forge/bridge": path("node_modules/@forge/bridge") } },
    define: { "import.meta.env.VITE_SERVICE": JSON.stringify(process.env.SERVICE ?? "https://entra-assets.example.com") },
    build: { outDir: path("static/console"), emptyOutDir: true },
  }),
);
