/** Other names in Assets of attributes that the import builds. */
import { Select, TextField } from "../../ui/form";
import { Button } from "../../ui/parts";
import type { Attribute } from "./attributes";
import type { ObjectType } from "./draft";

type Names = Record<string, string>;
/** `chosen`: the keys of imported attributes, also of those that only the tenant knows. */
type Props = { type: ObjectType; attributes: Attribute[]; chosen: string[]; value: Names; onChange: (names: Names) => void };

export function NameFields({ type, attributes, chosen, value, onChange }: Props) {
  const keys = new Set([...attributes.map((one) => one.key), ...chosen]);
  const nameOf = (key: string) => attributes.find((one) => one.key === key)?.name ?? key;
  return (
    <div className="stack tight">
      {Object.entries(value).map(([key, name]) => (
        <div className="comparison" key={key}>
          <TextField label={`${nameOf(key)} is called`} pointer={`/objects/${type}/names/${key}`} value={name} onChange={(name) => onChange({ ...value, [key]: name })} />
          <Button kind="quiet" label={`Do not rename ${nameOf(key)}`} onClick={() => onChange(Object.fromEntries(Object.entries(value).filter(([other]) => other !== key)))}>
            <span aria-hidden="true">×</span>
          </Button>
        </div>
      ))}
      <Select
        label="Call an attribute otherwise"
        value=""
        onChange={(key) => key !== "" && onChange({ ...value, [key]: "" })}
        options={[["", "Choose an attribute"], ...[...keys].filter((key) => !(key in value)).map((key): [string, string] => [key, nameOf(key)])]}
        help="Before the first run, too: Assets does not let an import rename it."
      />
    </div>
  );
}
