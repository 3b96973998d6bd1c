/** How the console reaches the service from within Jira. It takes the place of console/src/api/transport.ts. */
import { invokeRemote, router } from "@forge/bridge";

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** The address of the service, for links: the same as in `remotes` of the manifest. Calls go through Forge. */
const SERVICE = import.meta.env.VITE_SERVICE ?? "https://entra-assets.example.com";

export const transport = {
  base: SERVICE,
  /** Forge says who calls; there is no key. */
  signsIn: false,
  async send(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const text = await request.text();
    // The names of the headers that the service reads; Forge adds `Authorization` itself.
    const names = ["Content-Type", "Idempotency-Key", "If-Match"];
    const headers = Object.fromEntries(names.flatMap((name) => (request.headers.has(name) ? [[name, request.headers.get(name) ?? ""]] : [])));
    const answer = await invokeRemote({ path: url.pathname + url.search, method: request.method as Method, headers, body: text === "" ? undefined : JSON.parse(text) });
    if (answer.status === undefined) throw new TypeError("The service does not answer.");
    const hasBody = answer.body !== undefined && answer.status !== 204;
    return new Response(hasBody ? JSON.stringify(answer.body) : null, { status: answer.status, headers: { "Content-Type": "application/json" } });
  },
  download(path: string): void {
    void router.open(SERVICE + path);
  },
};
