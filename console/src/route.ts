/** The route is the part of the address after `#`, so that it works in every frame and behind every proxy. */
import { useSyncExternalStore } from "react";

function read(): string {
  return location.hash.replace(/^#/, "") || "/";
}

export function useRoute(): { path: string[]; query: URLSearchParams } {
  const route = useSyncExternalStore((listener) => {
    addEventListener("hashchange", listener);
    return () => removeEventListener("hashchange", listener);
  }, read);
  const [path = "", query = ""] = route.split("?");
  return { path: path.split("/").filter(Boolean).map(decodeURIComponent), query: new URLSearchParams(query) };
}

export const href = (path: string) => `#${path}`;

export function go(path: string): void {
  location.hash = path;
}
