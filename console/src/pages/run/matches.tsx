/** How objects of Entra and objects that others made in Assets belong together: a list for each answer. */
import type { Schema } from "../../api/client";
import { Tabs } from "../../ui/parts";
import { number } from "../../ui/time";
import type { Count } from "./counts";
import { isPlan } from "./state";

type Run = Schema<"RunResponse">;
type Action = Schema<"ChangeAction">;

/** `plan`: its name before anything is delivered. */
const LISTS: { action: Action; count: Count; name: string; plan?: string; text: string }[] = [
  { action: "matched", count: "matched", name: "Matched", text: "One object in Assets is this one: it has the same identity, or the same value and no identity yet. It is updated and keeps its key." },
  { action: "create", count: "created", name: "Created", plan: "Would be created", text: "No object in Assets is this one." },
  { action: "onlyInAssets", count: "onlyInAssets", name: "Only in Assets", text: "Entra does not have it, or the filter leaves it out. It stays as it is." },
  { action: "ambiguous", count: "ambiguous", name: "Ambiguous", text: "Several objects have the value, or the object has another identity. Nothing is sent of it: tell the objects apart in Assets first." },
  { action: "unidentified", count: "unidentified", name: "Without identity", text: "It has no value to be recognised by. Nothing is sent of it." },
];

const total = (run: Run, count: Count) => Object.values(run.counts).reduce((sum, counts) => sum + (counts[count] ?? 0), 0);

/** Whether the run compared with objects that others made. */
export const isMatching = (run: Run) => LISTS.some(({ action, count }) => action !== "create" && total(run, count) > 0);

export function MatchTabs({ run, value, onChange }: { run: Run; value: string; onChange: (action: string) => void }) {
  const tabs: [string, string][] = [["", "All"], ...LISTS.map(({ action, count, name, plan = name }): [string, string] => [action, `${isPlan(run) ? plan : name} (${number(total(run, count))})`])];
  const text = LISTS.find(({ action }) => action === value)?.text ?? "Assets has objects that others made. These lists say which of them are in Entra.";
  return (
    <div>
      <Tabs label="Objects in Assets and in Entra" value={tabs.some(([tab]) => tab === value) ? value : ""} onChange={onChange} tabs={tabs} />
      <p className="small subtle">{text}</p>
    </div>
  );
}
