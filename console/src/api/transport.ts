/** How the console reaches the service from a browser. examples/forge replaces this file by Forge's bridge. */
import { currentSession } from "./session";

/** The service is one level above the console, also behind a proxy that adds a path. */
const SERVICE = new URL("..", new URL(location.pathname, location.origin)).href.replace(/\/$/, "");

export const transport = {
  base: SERVICE,
  /** Whether people sign in here with a key. */
  signsIn: true,
  send(request: Request): Promise<Response> {
    const { key } = currentSession();
    if (key !== null && !request.headers.has("Authorization")) request.headers.set("Authorization", `Bearer ${key}`);
    return fetch(request);
  },
  /** Opens an address of the service that needs no key, such as a ticket's. */
  download(path: string): void {
    location.assign(SERVICE + path);
  },
};
