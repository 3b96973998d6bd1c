/** What the build of the console replaces. */
interface ImportMeta {
  readonly env: { readonly VITE_SERVICE?: string };
}
