/** What happened to the objects of each type. */
import type { Schema } from "../../api/client";
import { Facts, Table } from "../../ui/parts";
import { number } from "../../ui/time";
import { typeName } from "../../ui/words";

type Counts = Schema<"RunResponse">["counts"];
/** A number; what was done with Jira accounts is several. */
export type Count = Exclude<keyof Schema<"TypeCounts">, "jiraUsers">;

const ORDER = ["users", "groups", "memberships", "licenses", "devices"];
/** Types that are newer than the order come last. */
const placeOf = (type: string) => (ORDER.indexOf(type) + ORDER.length + 1) % (ORDER.length + 1);

const COLUMNS: [Count, done: string, plan: string][] = [
  ["read", "Read", "Read"],
  ["created", "Created", "To create"],
  ["updated", "Updated", "To update"],
  ["unchanged", "Unchanged", "Unchanged"],
  ["missing", "Missing", "Missing"],
  ["marked", "Marked as removed", "To mark as removed"],
  ["removed", "Removed", "To remove"],
  ["outOfScope", "Out of scope", "Out of scope"],
  ["stubs", "Stubs", "Stubs"],
  ["sent", "Sent", "To send"],
  ["ignored", "Not taken by Assets", "Not taken by Assets"],
  ["droppedReferences", "References left out", "References left out"],
  ["cleared", "Values cleared", "Values to clear"],
  ["notCleared", "Values not cleared", "Values not cleared"],
];
const ALWAYS: Count[] = ["read", "created", "updated", "unchanged"];

export function CountTable({ counts, isPlan }: { counts: Counts; isPlan: boolean }) {
  const types = Object.keys(counts).sort((a, b) => placeOf(a) - placeOf(b));
  const columns = COLUMNS.filter(([count]) => ALWAYS.includes(count) || types.some((type) => (counts[type]?.[count] ?? 0) > 0));
  return (
    <Table label="Statistics" head={["Type", ...columns.map(([, done, plan]) => ({ text: isPlan ? plan : done, number: true as const }))]}>
      {types.map((type) => (
        <tr key={type}>
          <td className="strong">{typeName(type)}</td>
          {columns.map(([count]) => (
            <td key={count} className="number">
              {type === "memberships" && count !== "read" ? "" : number(counts[type]?.[count] ?? 0)}
            </td>
          ))}
        </tr>
      ))}
    </Table>
  );
}

type AccountCounts = Schema<"JiraUserCounts">;
/** Every count has a text: the compiler finds one that is missing. */
const ACCOUNTS: Record<keyof AccountCounts, string> = {
  set: "Written",
  unchanged: "As before",
  notFound: "No account found",
  ambiguous: "Several accounts",
  inactive: "Account deactivated",
  cleared: "Taken away",
  failed: "Not written",
  left: "Not looked for yet",
};

/** How many users were linked with their Jira accounts, by what came of it. */
export function AccountTable({ counts }: { counts: AccountCounts }) {
  const all = Object.entries(ACCOUNTS) as [keyof AccountCounts, string][];
  return <Facts items={all.filter(([count]) => (counts[count] ?? 0) > 0).map(([count, text]) => [text, number(counts[count])])} />;
}
