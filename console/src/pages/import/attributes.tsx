/** Which attributes of an object type are imported. */
import { useState } from "react";
import { all, answer, api, type Schema } from "../../api/client";
import { Checkbox } from "../../ui/form";
import { Button } from "../../ui/parts";

export type Attribute = Schema<"AttributeResponse">;

export const loadAttributes = (signal: AbortSignal) => all((cursor) => answer(api.GET("/v1/attributes", { params: { query: { limit: 200, cursor } }, signal })));

type Props = { attributes: Attribute[]; value: string[] | null; onChange: (keys: string[] | null) => void };

export function AttributeChoice({ attributes, value, onChange }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <details className="small indent" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{value === null ? "Default attributes" : `${value.length} chosen attributes`}</summary>
      {open && <List attributes={attributes} value={value} onChange={onChange} />}
    </details>
  );
}

function List({ attributes, value, onChange }: Props) {
  const chosen = value ?? attributes.filter((one) => one.presence === "default").map((one) => one.key);
  return (
    <div className="stack tight">
      <div className="attributes">
        {attributes.map((one) =>
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
