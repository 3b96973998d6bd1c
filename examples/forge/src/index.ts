/** The functions of the import type. Each asks the service, which does the work. */
import { invokeRemote } from "@forge/api";
import { forget, type Send, start, status, stop } from "./service";

/** What Assets gives to each of the functions. */
type Import = { importId: string; workspaceId: string; schemaId: string };

const REMOTE = "entra-assets";

const send: Send = async (path, method, body) => {
  const headers = { "Content-Type": "application/json" };
  const answer = await invokeRemote(REMOTE, { path, method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await answer.text();
  return { status: answer.status, body: text === "" ? undefined : JSON.parse(text) };
};

export async function startImport({ importId }: Import): Promise<{ result: string }> {
  return { result: `started run ${await start(send, importId)}` };
}

export async function stopImport({ importId }: Import): Promise<{ result: string }> {
  return { result: `stopped ${await stop(send, importId)} runs` };
}

export async function importStatus({ importId }: Import): Promise<{ status: "READY" | "NOT_CONFIGURED" }> {
  return { status: await status(send, importId) };
}

/** What was imported stays in Assets. The service forgets the import: its destination and job are deleted, its run ends. */
export async function deleteImport({ importId }: Import): Promise<{ result: string }> {
  await forget(send, importId);
  return { result: `deleted import ${importId}` };
}
