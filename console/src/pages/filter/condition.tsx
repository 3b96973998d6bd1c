/** The condition on one kind of object: as a text, or as a form. Changing between the two keeps the condition. */
import { useMemo, useState } from "react";
import { answer, api, type Schema } from "../../api/client";
import { useAction } from "../../api/use";
import { TextArea, useFaults } from "../../ui/form";
import { type Kind, KIND_NAMES, kindText } from "../../ui/kinds";
import { Button, Failure, Message } from "../../ui/parts";
import { Completion } from "./completion";
import type { Condition } from "./draft";
import { fieldsOf, propertyText } from "./form/choices";
import { GroupView } from "./form/conditions";
import { emptyGroup, formOf, partAt, spelled, treeOf } from "./form/model";
import { MarkedText } from "./marked";
import { useProperties } from "./properties";

const EXAMPLES: Record<Kind, string[]> = {
  users: ["accountEnabled eq true", "userType eq 'Member'", "department in ('Sales', 'Marketing')", "endsWith(mail, '@contoso.com')"],
  groups: ["securityEnabled eq true", "startsWith(displayName, 'team')", "groupTypes/any(c:c eq 'Unified')"],
  devices: ["operatingSystem eq 'Windows'", "accountEnabled eq true"],
  applications: ["signInAudience eq 'AzureADMyOrg'", "startsWith(displayName, 'HR')"],
  servicePrincipals: ["servicePrincipalType eq 'Application'", "accountEnabled eq true"],
  roles: ["isBuiltIn eq false", "displayName in ('Global Administrator', 'User Administrator')"],
  administrativeUnits: ["startsWith(displayName, 'Region')"],
};

type Errors = Schema<"FilterError">[];
type Props = { kind: Kind; value: Condition; onChange: (condition: Condition) => void; errors: Errors; connectionId: string; tried: boolean };

export function ConditionField(props: Props) {
  const { kind, value, onChange } = props;
  const [stuck, setStuck] = useState<string>();
  const turn = useAction(async () => {
    setStuck(undefined);
    const turned = await (value.isForm ? toText(kind, value) : toForm(kind, value));
    if (typeof turned === "string") setStuck(turned);
    else onChange(turned);
  });
  return (
    <div className="stack tight condition-field">
      <div className="turn">
        <Button kind="quiet" pending={turn.pending} onClick={() => void turn.run()} label={`${KIND_NAMES[kind]}: ${value.isForm ? "write as text" : "use a form"}`}>
          {value.isForm ? "Write as text" : "Use a form"}
        </Button>
      </div>
      {value.isForm ? <ConditionForm {...props} /> : <ConditionText {...props} />}
      {stuck && (
        <Message tone="warning" live>
          <p>{stuck}</p>
        </Message>
      )}
      <Failure error={turn.error} />
    </div>
  );
}

const validated = async (kind: Kind, rule: Schema<"RuleBody">) => (await answer(api.POST("/v1/filters/validate", { body: { [kind]: rule } as never })))[kind];

/** The same condition as a form, or what is in the way. */
async function toForm(kind: Kind, { text, same }: Condition): Promise<Condition | string> {
  if (text.trim() === "") return { isForm: true, text: "", form: emptyGroup() };
  if (same?.text === text) return { isForm: true, text, form: formOf(JSON.parse(same.where)), same };
  const rule = await validated(kind, { odata: text });
  if (!rule) return "The form can show the text when it has no fault.";
  return { isForm: true, text, form: formOf(rule.where), same: { text, where: spelled(rule.where) } };
}

async function toText(kind: Kind, condition: Condition): Promise<Condition | string> {
  const { where, incomplete } = treeOf(condition.form);
  if (where === null) return { ...condition, isForm: false, text: "" };
  if (incomplete.size > 0) return "Complete the conditions first. Then they can be written as text.";
  const tree = JSON.stringify(where);
  if (condition.same?.where === tree) return { ...condition, isForm: false, text: condition.same.text };
  const rule = await validated(kind, { where });
  if (!rule) return "The conditions can be written as text when they have no fault.";
  return { ...condition, isForm: false, text: rule.text, same: { text: rule.text, where: tree } };
}

function ConditionText({ kind, value, onChange, errors }: Props) {
  const [caret, setCaret] = useState(0);
  const own = errors.filter((error) => error.pointer.startsWith(`/${kind}`));
  const set = (text: string) => onChange({ ...value, text });
  const { text } = value;
  return (
    <TextArea
      label={KIND_NAMES[kind]}
      pointer={`/${kind}`}
      code
      rows={2}
      value={text}
      onChange={set}
      onCaret={setCaret}
      placeholder={`All ${kindText(kind)}`}
      fault={own.length > 0 && own.map((error) => <MarkedText key={error.detail} text={text} error={error} onFix={set} />)}
      help={
        text !== "" ? (
          <Completion kind={kind} text={text} caret={caret} onChange={set} />
        ) : (
          <span className="row">
            For example
            {EXAMPLES[kind].map((example) => (
              <button key={example} type="button" className="lozenge example" onClick={() => set(example)}>
                <code>{example}</code>
              </button>
            ))}
          </span>
        )
      }
    />
  );
}

function ConditionForm({ kind, value, onChange, errors, connectionId, tried }: Props) {
  const properties = useProperties(kind);
  const fields = useMemo(() => fieldsOf(properties.data ?? []).sort((a, b) => propertyText(a.name ?? "").localeCompare(propertyText(b.name ?? ""))), [properties.data]);
  const { places, incomplete } = treeOf(value.form);
  // The faults of an attempt to save are those of the validation, which the form shows at their places.
  useFaults(`/${kind}`);
  const faults = new Map<number, string[]>();
  if (tried) incomplete.forEach((text, id) => faults.set(id, [text]));
  for (const { pointer, detail } of errors.filter((error) => error.pointer.startsWith(`/${kind}/where`))) {
    const id = partAt(pointer.slice(`/${kind}/where`.length), places) ?? value.form.id;
    faults.set(id, [...(faults.get(id) ?? []), detail]);
  }
  return (
    <fieldset>
      <legend>{KIND_NAMES[kind]}</legend>
      {value.form.parts.length === 0 && <p className="small subtle">Without a condition, all {kindText(kind)} are taken.</p>}
      <GroupView group={value.form} name={`${KIND_NAMES[kind]}: conditions`} around={{ kind, fields, connectionId, faults }} onChange={(form) => onChange({ ...value, form })} />
    </fieldset>
  );
}
