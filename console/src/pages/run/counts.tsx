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

const COLUMNS: [Count, done: string, plan: string, meaning: string][] = [
  ["read", "Read", "Read", "Objects that were read and are in scope."],
  ["created", "Created", "To create", "Objects that Assets did not have."],
  ["updated", "Updated", "To update", "Objects of which a value or a reference changed."],
  ["unchanged", "Unchanged", "Unchanged", "Objects that are as they were."],
  ["missing", "Missing", "Missing", "Objects that were delivered before, and are now gone or out of scope."],
  ["marked", "Marked as removed", "To mark as removed", "Of the missing objects, those that stay in Assets as removed."],
  ["removed", "Removed", "To remove", "Of the missing objects, those that the object API deletes in Assets."],
  ["outOfScope", "Out of scope", "Out of scope", "Objects that the filter’s scope, exclusions and limits leave out."],
  ["stubs", "Stubs", "Stubs", "Objects outside the filter to which imported objects refer. They are imported with a name and an id only, as the filter says, and are not among those read."],
  ["sent", "Sent", "To send", "Objects that are sent to Assets: what changed, and what did not where everything is sent."],
  ["ignored", "Not taken by Assets", "Not taken by Assets", "Objects that Assets did not take, or of which its report says nothing. The next run sends them again."],
  ["droppedReferences", "References left out", "References left out", "References that are not imported, because what they lead to is not: it is outside the filter, was deleted, or is of another type. In a test also because it was not read."],
  ["cleared", "Values cleared", "Values to clear", "Values that became empty and that the object API clears."],
  ["notCleared", "Values not cleared", "Values not cleared", "Values that became empty, but stay in Assets, which ignores empty values."],
];
const ALWAYS: Count[] = ["read", "created", "updated", "unchanged"];

export function CountTable({ counts, isPlan }: { counts: Counts; isPlan: boolean }) {
  const types = Object.keys(counts).sort((a, b) => placeOf(a) - placeOf(b));
  const columns = COLUMNS.filter(([count]) => ALWAYS.includes(count) || types.some((type) => (counts[type]?.[count] ?? 0) > 0));
  return (
    <div className="stack tight">
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
      <details className="small">
        <summary>What the columns mean</summary>
        <dl className="stack tight">
          {columns.map(([count, done, plan, meaning]) => (
            <div key={count}>
              <dt className="strong">{isPlan ? plan : done}</dt>
              <dd>{meaning}</dd>
            </div>
          ))}
        </dl>
      </details>
    </div>
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
