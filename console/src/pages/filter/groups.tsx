/** Users and groups of the directory as part of a filter: the groups whose members are imported, and who is never imported. */
import { useState } from "react";
import { useQuery } from "../../api/use";
import { FaultTexts, TextArea, useFaults } from "../../ui/form";
import { Button } from "../../ui/parts";
import { Lookup, lookUp } from "../lookup";

type Props = { value: string; onChange: (value: string) => void; connectionId: string };

const linesOf = (value: string) => value.split("\n").filter(Boolean);

/** `value` has the object ids, one on each line. */
export function GroupPicker({ value, onChange, connectionId }: Props) {
  const [search, setSearch] = useState("");
  const [names, setNames] = useState<Record<string, string>>({});
  const faults = useFaults("/scope/groupIds");
  const ids = linesOf(value);
  const stored = useQuery(connectionId !== "" && ids.some((id) => !names[id]) ? `names ${connectionId} ${value}` : null, async (signal) => {
    const unknown = ids.filter((id) => !names[id]).slice(0, 20);
    const matches = (await Promise.all(unknown.map((id) => lookUp(connectionId, "groups", id, signal)))).flatMap((one) => one.items);
    return Object.fromEntries(matches.map((one) => [one.id, one.displayName ?? one.id]));
  });
  const nameOf = (id: string) => names[id] ?? stored.data?.[id] ?? id;
  return (
    <div className="stack tight indent">
      <ul className="row" aria-label="Chosen groups">
        {ids.map((id) => (
          <li key={id}>
            <Button label={`Remove ${nameOf(id)}`} onClick={() => onChange(ids.filter((one) => one !== id).join("\n"))}>
              {nameOf(id)} <span aria-hidden="true">×</span>
            </Button>
          </li>
        ))}
      </ul>
      <FaultTexts faults={faults} />
      <Lookup
        connectionId={connectionId}
        kind="groups"
        search={search}
        onSearch={setSearch}
        except={ids}
        help={connectionId === "" ? "Choose a tenant in the preview first." : "Members of each chosen group are imported."}
        onPick={(one) => {
          setNames({ ...names, [one.id]: one.displayName ?? one.id });
          onChange([...ids, one.id].join("\n"));
          setSearch("");
        }}
      />
    </div>
  );
}

const EXCLUDED = {
  users: { label: "Never import these users", pointer: "/exclude/userNames", help: "User principal names or object ids, one on each line." },
  groups: { label: "Never import these groups", pointer: "/exclude/groupNames", help: "Display names or object ids, one on each line." },
};

/** `value` has names or ids, one on each line; those that are picked are added by name. */
export function ExclusionField({ kind, value, onChange, connectionId }: Props & { kind: keyof typeof EXCLUDED }) {
  const [search, setSearch] = useState("");
  const names = linesOf(value);
  return (
    <div className="stack tight">
      <TextArea {...EXCLUDED[kind]} rows={2} value={value} onChange={onChange} />
      <Lookup
        connectionId={connectionId}
        kind={kind}
        label={`Add a ${kind === "users" ? "user" : "group"} by name`}
        search={search}
        onSearch={setSearch}
        help={connectionId === "" ? "Choose a tenant in the preview first." : undefined}
        onPick={(one) => {
          const name = (kind === "users" ? one.userPrincipalName : one.displayName) ?? one.id;
          onChange([...new Set([...names, name])].join("\n"));
          setSearch("");
        }}
      />
    </div>
  );
}
