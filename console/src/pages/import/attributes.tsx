/** Which attributes and references of an object type are imported. */
import { useState } from "react";
import { all, answer, api, type Schema } from "../../api/client";
import { Checkbox, TextField } from "../../ui/form";
import { Button } from "../../ui/parts";
import { type Choice, isByMemberships, isReference, type ObjectType } from "./draft";

export type Attribute = Schema<"AttributeResponse">;

export const loadAttributes = (signal: AbortSignal) => all((cursor) => answer(api.GET("/v1/attributes", { params: { query: { limit: 200, cursor } }, signal })));

type Props = { type: ObjectType; attributes: Attribute[]; value: Choice; onChange: (choice: Choice) => void };

export function AttributeChoice({ type, attributes, value, onChange }: Props) {
  const own = attributes.filter((one) => !isReference(one));
  const references = attributes.filter((one) => isReference(one) && !isByMemberships(one));
  // Of an attribute that a tenant made only the key is known.
  const ofTenant = (value.attributes ?? []).filter((key) => !attributes.some((one) => one.key === key));
  return (
    <>
      <Keys what="attribute" offered={[...own, ...ofTenant.map((key) => ({ key, name: key, presence: "onRequest" }))]} value={value.attributes} onChange={(keys) => onChange({ ...value, attributes: keys })}>
        {(add) => <TenantAttribute type={type} pointer={`/objects/${type}/attributes`} onAdd={add} />}
      </Keys>
      {references.length > 0 && <Keys what="reference" offered={references} value={value.references} onChange={(keys) => onChange({ ...value, references: keys })} />}
    </>
  );
}

type KeysProps = {
  what: string;
  offered: (Pick<Attribute, "key" | "name" | "presence"> & { description?: string })[];
  value: string[] | null;
  onChange: (keys: string[] | null) => void;
  children?: (add: (key: string) => void) => React.ReactNode;
};

function Keys({ what, offered, value, onChange, children }: KeysProps) {
  const [open, setOpen] = useState(false);
  const chosen = value ?? offered.filter((one) => one.presence === "default").map((one) => one.key);
  const add = (key: string) => {
    if (!chosen.includes(key)) onChange([...chosen, key]);
  };
  return (
    <details className="small indent" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{value === null ? `Default ${what}s` : `${value.length} chosen ${what}${value.length === 1 ? "" : "s"}`}</summary>
      {open && (
        <div className="stack tight">
          <div className="attributes">
            {offered.map((one) =>
              one.presence === "always" ? null : (
                <Checkbox key={one.key} label={<span className="break">{one.name}</span>} help={one.description} checked={chosen.includes(one.key)} onChange={(on) => (on ? add(one.key) : onChange(chosen.filter((key) => key !== one.key)))} />
              ),
            )}
          </div>
          {children?.(add)}
          {value !== null && (
            <div>
              <Button onClick={() => onChange(null)}>Back to the defaults</Button>
            </div>
          )}
        </div>
      )}
    </details>
  );
}

/** Types to whose objects a tenant can add properties. */
const EXTENDED: ObjectType[] = ["users", "groups", "devices", "applications", "servicePrincipals", "administrativeUnits"];

/** An attribute that the tenant made itself, so that no list has it. */
export function TenantAttribute({ type, pointer, onAdd }: { type: ObjectType; pointer?: string; onAdd: (key: string) => void }) {
  const [key, setKey] = useState("");
  if (!EXTENDED.includes(type)) return null;
  const add = () => {
    if (key.trim() !== "") onAdd(key.trim());
    setKey("");
  };
  return (
    <div
      className="comparison"
      // What was typed counts, also where somebody goes on without the button.
      onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && add()}
      onKeyDown={(event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        add();
      }}
    >
      <TextField
        label="Another attribute, by its key"
        pointer={pointer}
        code
        value={key}
        onChange={setKey}
        help={
          <>
            A directory extension, such as <code className="break">extension_0123456789abcdef0123456789abcdef_costCenter</code>
            {type === "users" && (
              <>
                , or a custom security attribute, such as <code className="break">customSecurityAttributes_Engineering_Project</code>
              </>
            )}
            .
          </>
        }
      />
      <Button onClick={add} label="Add the attribute">
        Add
      </Button>
    </div>
  );
}
