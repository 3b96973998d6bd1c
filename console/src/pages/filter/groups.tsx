/** The groups whose members are imported, picked by name from the directory. */
import { useState } from "react";
import { answer, api, type Schema } from "../../api/client";
import { useQuery, useSettled } from "../../api/use";
import { TextField, useFaults } from "../../ui/form";
import { Button, Failure, Loading } from "../../ui/parts";

type Match = Schema<"DirectoryMatch">;
type Props = { value: string; onChange: (value: string) => void; connectionId: string };

/** `value` has the object ids, one on each line. */
export function GroupPicker({ value, onChange, connectionId }: Props) {
  const [search, setSearch] = useState("");
  const [names, setNames] = useState<Record<string, string>>({});
  const faults = useFaults("/scope/groupIds");
  const ids = value.split("\n").filter(Boolean);
  const wanted = useSettled(search.trim(), 300);
  const found = useQuery(wanted !== "" && connectionId !== "" ? `groups ${connectionId} ${wanted}` : null, (signal) => lookUp(connectionId, wanted, signal));
  const stored = useQuery(connectionId !== "" && ids.some((id) => !names[id]) ? `names ${connectionId} ${value}` : null, async (signal) => {
    const unknown = ids.filter((id) => !names[id]).slice(0, 20);
    const matches = (await Promise.all(unknown.map((id) => lookUp(connectionId, id, signal)))).flatMap((one) => one.items);
    return Object.fromEntries(matches.map((one) => [one.id, one.displayName ?? one.id]));
  });
  const nameOf = (id: string) => names[id] ?? stored.data?.[id] ?? id;
  const add = (one: Match) => {
    setNames({ ...names, [one.id]: one.displayName ?? one.id });
    onChange([...ids, one.id].join("\n"));
    setSearch("");
  };
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
      {faults.map((fault) => (
        <p className="field fault" key={fault.pointer + fault.code}>
          {fault.detail}
        </p>
      ))}
      <TextField
        label="Find a group"
        value={search}
        onChange={setSearch}
        placeholder="Name, mail address or object id"
        help={connectionId === "" ? "Choose a tenant in the preview first." : "Members of each chosen group are imported."}
      />
      {found.loading && <Loading what="Asking Microsoft Graph" />}
      <Failure error={found.error} />
      {found.data && search !== "" && (
        <ul className="stack tight" aria-label="Groups found">
          {found.data.items
            .filter((one) => !ids.includes(one.id))
            .map((one) => (
              <li key={one.id}>
                <Button icon="plus" onClick={() => add(one)}>
                  {one.displayName ?? one.id}
                </Button>{" "}
                <span className="small subtle">{one.mail ?? one.description}</span>
              </li>
            ))}
          {found.data.items.length === 0 && <li className="subtle">No group begins like this.</li>}
          {found.data.more && <li className="subtle">There are more. Write more of the name.</li>}
        </ul>
      )}
    </div>
  );
}

const lookUp = (connectionId: string, search: string, signal: AbortSignal) => answer(api.POST("/v1/directory-lookups", { body: { connectionId, kind: "groups", search }, signal }));
