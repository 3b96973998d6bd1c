/** Which attributes of an object type are imported. */
import { useState } from "react";
import { all, answer, api } from "../../api/client";
import { useQuery } from "../../api/use";
import { Checkbox } from "../../ui/form";
import { Button, Loading } from "../../ui/parts";
import type { ObjectType } from "./draft";

export function AttributeChoice({ type, value, onChange }: { type: ObjectType; value: string[] | null; onChange: (keys: string[] | null) => void }) {
  const [open, setOpen] = useState(false);
  return (
    <details className="small indent" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{value === null ? "Default attributes" : `${value.length} chosen attributes`}</summary>
      {open && <List type={type} value={value} onChange={onChange} />}
    </details>
  );
}

function List({ type, value, onChange }: { type: ObjectType; value: string[] | null; onChange: (keys: string[] | null) => void }) {
  const attributes = useQuery(`attributes ${type}`, (signal) => all((cursor) => answer(api.GET("/v1/attributes", { params: { query: { objectType: type, limit: 200, cursor } }, signal }))));
  if (!attributes.data) return <Loading />;
  const defaults = attributes.data.filter((one) => one.presence === "default").map((one) => one.key);
  const chosen = value ?? defaults;
  return (
    <div className="stack tight">
      <div className="attributes">
        {attributes.data.map((one) =>
          one.presence === "always" ? null : (
            <Checkbox
              key={one.key}
              label={one.name}
              help={one.description}
              checked={chosen.includes(one.key)}
              onChange={(on) => onChange(on ? [...chosen, one.key] : chosen.filter((key) => key !== one.key))}
            />
          ),
        )}
      </div>
      {value !== null && (
        <div>
          <Button onClick={() => onChange(null)}>Back to the defaults</Button>
        </div>
      )}
    </div>
  );
}
