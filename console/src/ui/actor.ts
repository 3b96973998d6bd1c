/** Who did something, in words. */
import type { Schema } from "../api/client";
import { wordsOf } from "./words";

type Actor = Schema<"Actor">;

/** Of a run. */
export function actorText({ kind, id, name }: Actor): string {
  switch (kind) {
    case "schedule":
      return "the schedule";
    case "retry":
      return "the schedule, after a failed run";
    case "adminKey":
      return "the key of the operator";
    case "apiKey":
      return `the key ${name === null ? id : `«${name}»`}`;
    case "token":
      return `the token of ${id}`;
    case "service":
      return "the service";
    default:
      return wordsOf(kind satisfies never).toLowerCase();
  }
}

/** Of the audit log, which spells it as one text. `names`: those of the keys. */
export function actorOf(text: string, names: Map<string, string>): string {
  const [, kind = text, id = null] = /^(\w+)[: ](.*)$/s.exec(text) ?? [];
  switch (kind) {
    case "adminKey":
    case "schedule":
    case "retry":
    case "service":
      return actorText({ kind, id: null, name: null });
    case "apiKey":
      return actorText({ kind, id, name: names.get(id ?? "") ?? null });
    case "jwt":
      return actorText({ kind: "token", id, name: null });
    case "handover":
      return "an administrator of Entra, by a link";
    case "ticket":
      return "a link for a download";
    case "commandLine":
      return "somebody at the command line";
    case "run":
      return "a run";
    default:
      return wordsOf(text).toLowerCase();
  }
}
