/** How the console reaches the service from a browser. examples/forge replaces this file by Forge's bridge. */
import { currentSession, loseSession } from "./session";

/** The service is one level above the console, also behind a proxy that adds a path. */
const SERVICE = new URL("..", new URL(location.pathname, location.origin)).href.replace(/\/$/, "");

export const transport = {
  base: SERVICE,
  /** Whether people sign in here with a key. */
  signsIn: true,
  async send(request: Request): Promise<Response> {
    const { key } = currentSession();
    if (key === null || request.headers.has("Authorization")) return fetch(request);
    request.headers.set("Authorization", `Bearer ${key}`);
    const response = await fetch(request);
    if (response.status === 401) loseSession(key);
    return response;
  },
  /** Opens an address of the service that needs no key, such as a ticket's. */
  download(path: string): void {
    location.assign(SERVICE + path);
  },
};
