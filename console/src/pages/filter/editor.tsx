/** The form of a filter, with its faults and a preview that follow what is typed. */
import { useState } from "react";
import { answer, api, idempotencyKey, type Schema } from "../../api/client";
import { useAction, useQuery, useSettled } from "../../api/use";
import { go } from "../../route";
import { Checkbox, Form, Radios, TextArea, TextField } from "../../ui/form";
import { Button, Card, Confirm, Loading, Message } from "../../ui/parts";
import { Completion } from "./completion";
import { changesOf, type Draft, draftOf, type Kind, KINDS, rulesOf } from "./draft";
import { ExclusionField, GroupPicker } from "./groups";
import { MarkedText } from "./marked";
import { Preview } from "./preview";

type Filter = Schema<"FilterResponse">;
type Texts = Partial<Record<Kind, string>>;

const EXAMPLES: Record<Kind, string[]> = {
  users: ["accountEnabled eq true", "userType eq 'Member'", "department in ('Sales', 'Marketing')", "endsWith(mail, '@contoso.com')"],
  groups: ["securityEnabled eq true", "startsWith(displayName, 'team')", "groupTypes/any(c:c eq 'Unified')"],
  devices: ["operatingSystem eq 'Windows'", "accountEnabled eq true"],
};
const NAMES: Record<Kind, string> = { users: "Users", groups: "Groups", devices: "Devices" };

/** Conditions that are stored as trees are shown as text, which the service writes. */
export function FilterEditor({ filter, onSaved }: { filter?: Filter; onSaved?: () => void }) {
  const hasTree = KINDS.some((kind) => filter?.[kind]?.where && !filter[kind].odata);
  const texts = useQuery(filter ? `texts ${filter.id} ${filter.version}` : null, async (signal) => {
    const stored = Object.fromEntries(KINDS.map((kind) => [kind, filter?.[kind]?.odata ?? undefined])) as Texts;
    if (!hasTree || !filter) return stored;
    const { users, groups, devices } = filter;
    const valid = await answer(api.POST("/v1/filters/validate", { body: { users, groups, devices } as never, signal }));
    return Object.fromEntries(KINDS.map((kind) => [kind, stored[kind] ?? valid[kind]?.text])) as Texts;
  });
  if (filter && !texts.data) return <Loading />;
  return <Editor filter={filter} texts={texts.data ?? {}} onSaved={onSaved} />;
}

function Editor({ filter, texts, onSaved }: { filter?: Filter; texts: Texts; onSaved?: () => void }) {
  const [draft, setDraft] = useState(() => draftOf(filter, texts));
  const set = <K extends keyof Draft>(name: K) => (value: Draft[K]) => setDraft((draft) => ({ ...draft, [name]: value }));
  const setText = (kind: Kind) => (text: string) => setDraft((draft) => ({ ...draft, text: { ...draft.text, [kind]: text } }));
  const [connectionId, setConnectionId] = useState("");
  const rules = JSON.stringify(rulesOf(draft, filter, texts));
  const settled = useSettled(rules, 400);
  const validation = useQuery(`validate ${settled}`, (signal) => answer(api.POST("/v1/filters/validate", { body: JSON.parse(settled), signal })));
  const current = settled === rules ? validation.data : undefined;
  const save = useAction(async () => {
    const name = draft.name.trim();
    if (filter) {
      const params = { path: { id: filter.id }, header: { "If-Match": `"${filter.version}"` } };
      await answer(api.PATCH("/v1/filters/{id}", { params, body: { name, ...changesOf(draft, filter, texts) } }));
      onSaved?.();
    } else {
      const params = { header: { "Idempotency-Key": idempotencyKey() } };
      await answer(api.POST("/v1/filters", { params, body: { name, ...rulesOf(draft) } }));
      go("/filter");
    }
  });
  return (
    <div className="columns">
      <div className="stack">
        <Card>
          <Form label="Filter" onSubmit={() => void save.run()} error={save.error}>
            <TextField label="Name" pointer="/name" value={draft.name} onChange={set("name")} placeholder="Active employees" />
            {KINDS.map((kind) => (
              <ConditionField key={kind} kind={kind} value={draft.text[kind]} onChange={setText(kind)} errors={current?.errors ?? []} />
            ))}
            {current?.valid && current.warnings.map((text) => <Message key={text} tone="warning"><p>{text}</p></Message>)}
            <ScopeFields draft={draft} set={set} connectionId={connectionId} />
            <div className="row">
              <Button type="submit" kind="primary" pending={save.pending}>
                Save filter
              </Button>
            </div>
          </Form>
        </Card>
        {filter && <DeleteFilter filter={filter} />}
      </div>
      <Preview rules={settled} valid={validation.data?.valid === true} tenant={{ connectionId, setConnectionId }} />
    </div>
  );
}

type Errors = Schema<"FilterError">[];

function ConditionField({ kind, value, onChange, errors }: { kind: Kind; value: string; onChange: (text: string) => void; errors: Errors }) {
  const [caret, setCaret] = useState(0);
  const own = errors.filter((error) => error.pointer.startsWith(`/${kind}`));
  return (
    <div className="stack tight">
      <TextArea
        label={NAMES[kind]}
        pointer={`/${kind}`}
        code
        rows={2}
        value={value}
        onChange={onChange}
        onCaret={setCaret}
        placeholder={`All ${kind}`}
        fault={own.length > 0 && own.map((error) => <MarkedText key={error.detail} text={value} error={error} onFix={onChange} />)}
        help={
          value !== "" ? (
            <Completion kind={kind} text={value} caret={caret} onChange={onChange} />
          ) : (
            <span className="row">
              For example
              {EXAMPLES[kind].map((example) => (
                <button key={example} type="button" className="lozenge example" onClick={() => onChange(example)}>
                  <code>{example}</code>
                </button>
              ))}
            </span>
          )
        }
      />
    </div>
  );
}

function ScopeFields({ draft, set, connectionId }: { draft: Draft; connectionId: string; set: <K extends keyof Draft>(name: K) => (value: Draft[K]) => void }) {
  return (
    <>
      <Radios
        label="Users by membership"
        pointer="/scope/users"
        value={draft.scopeUsers}
        onChange={set("scopeUsers")}
        options={[
          { value: "all", label: "All users that match" },
          { value: "membersOf", label: "Only members of certain groups" },
          { value: "membersOfFilteredGroups", label: "Only members of the groups that are imported" },
        ]}
      />
      {draft.scopeUsers === "membersOf" && <GroupPicker value={draft.groupIds} onChange={set("groupIds")} connectionId={connectionId} />}
      {draft.scopeUsers !== "all" && <Checkbox label="Members of nested groups count too" checked={draft.transitive} onChange={set("transitive")} />}
      <Checkbox
        label="Only groups that contain an imported user"
        checked={draft.scopeGroups === "containingFilteredUsers"}
        onChange={(on) => set("scopeGroups")(on ? "containingFilteredUsers" : "all")}
      />
      <details open={draft.excludeUsers !== "" || draft.excludeGroups !== "" || draft.maxUsers !== "" || draft.maxGroups !== ""}>
        <summary>Exclusions and limits</summary>
        <div className="stack">
          <ExclusionField kind="users" value={draft.excludeUsers} onChange={set("excludeUsers")} connectionId={connectionId} />
          <ExclusionField kind="groups" value={draft.excludeGroups} onChange={set("excludeGroups")} connectionId={connectionId} />
          <div className="grid2">
            <TextField label="At most this many users" type="number" min={1} pointer="/limits/maxUsers" value={draft.maxUsers} onChange={set("maxUsers")} />
            <TextField label="At most this many groups" type="number" min={1} pointer="/limits/maxGroups" value={draft.maxGroups} onChange={set("maxGroups")} />
          </div>
          <Radios
            label="References to objects that are not imported"
            pointer="/outside"
            value={draft.outside}
            onChange={set("outside")}
            options={[
              { value: "drop", label: "Leave them out" },
              { value: "stub", label: "Import a stub", help: "For example a manager outside the filter: an object with a name and an id only." },
            ]}
          />
        </div>
      </details>
    </>
  );
}

function DeleteFilter({ filter }: { filter: Filter }) {
  const remove = useAction(async () => {
    await answer(api.DELETE("/v1/filters/{id}", { params: { path: { id: filter.id } } }));
    go("/filter");
  });
  return (
    <div>
      <Confirm kind="danger" button="Delete filter" title={`Delete «${filter.name}»?`} confirm="Delete" onConfirm={remove.run} pending={remove.pending} error={remove.error}>
        <p>A filter that an import uses cannot be deleted.</p>
      </Confirm>
    </div>
  );
}
