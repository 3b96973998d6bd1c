/** What a run does to an object, in a word. */
import type { Schema } from "../../api/client";
import { Lozenge, type Tone } from "../../ui/parts";
import { wordsOf } from "../../ui/words";

type Action = Schema<"ChangeAction">;

const TONES: Record<string, Tone> = { create: "success", update: "information", missing: "warning", mark: "warning", remove: "danger", restore: "success", matched: "success", ambiguous: "warning", unidentified: "warning" };
const NAMES: Record<string, string> = { mark: "Mark as removed", onlyInAssets: "Only in Assets" };
export const ACTIONS: Action[] = ["create", "update", "unchanged", "missing", "mark", "remove", "restore", "matched", "ambiguous", "unidentified", "onlyInAssets"];

export const actionText = (action: Action) => NAMES[action] ?? wordsOf(action);

export function ActionLozenge({ action }: { action: Action }) {
  return <Lozenge tone={TONES[action] ?? "neutral"}>{actionText(action)}</Lozenge>;
}
