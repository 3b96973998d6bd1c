/** The form of a filter, with its faults and a preview that follow what is typed. */
import { useState } from "react";
import { answer, api, idempotencyKey, type Schema } from "../../api/client";
import { useAction, useQuery, useSettled } from "../../api/use";
import { go } from "../../route";
import { Checkbox, Form, Radios, TextField } from "../../ui/form";
import { type Kind, KINDS, kindText } from "../../ui/kinds";
import { Button, Card, Confirm, Failure, Fold, Message } from "../../ui/parts";
import { ConditionField } from "./condition";
import { changesOf, type Condition, type Draft, draftOf, isEmpty, isIncomplete, rulesOf } from "./draft";
import { ExclusionField, GroupPicker } from "./groups";
import { Preview } from "./preview";

type Filter = Schema<"FilterResponse">;

/** What every import reads. */
const FIRST: Kind[] = ["users", "groups", "devices"];
const MORE = KINDS.filter((kind) => !FIRST.includes(kind));

export function FilterEditor({ filter, onSaved }: { filter?: Filter; onSaved?: () => void }) {
  const [draft, setDraft] = useState(() => draftOf(filter));
  const set = <K extends keyof Draft>(name: K) => (value: Draft[K]) => setDraft((draft) => ({ ...draft, [name]: value }));
  const setCondition = (kind: Kind) => (condition: Condition) => setDraft((draft) => ({ ...draft, conditions: { ...draft.conditions, [kind]: condition } }));
  const [tried, setTried] = useState(false);
  const incomplete = isIncomplete(draft);
  const [connectionId, setConnectionId] = useState("");
  const rules = JSON.stringify(rulesOf(draft, filter));
  const settled = useSettled(rules, 400);
  const validation = useQuery(incomplete ? null : `validate ${settled}`, (signal) => answer(api.POST("/v1/filters/validate", { body: JSON.parse(settled), signal })));
  const current = settled === rules ? validation.data : undefined;
  const save = useAction(async () => {
    setTried(true);
    if (incomplete) throw new Error("A condition lacks a property or a value. Complete it, or remove it.");
    const name = draft.name.trim();
    if (filter) {
      const params = { path: { id: filter.id }, header: { "If-Match": `"${filter.version}"` } };
      await answer(api.PATCH("/v1/filters/{id}", { params, body: { name, ...changesOf(draft, filter) } }));
      onSaved?.();
    } else {
      const params = { header: { "Idempotency-Key": idempotencyKey() } };
      await answer(api.POST("/v1/filters", { params, body: { name, ...rulesOf(draft) } }));
      go("/filter");
    }
  });
  const condition = (kind: Kind) => (
    <ConditionField key={kind} kind={kind} value={draft.conditions[kind]} onChange={setCondition(kind)} errors={current?.errors ?? []} connectionId={connectionId} tried={tried} />
  );
  return (
    <div className="columns">
      <div className="stack">
        <Card>
          <Form label="Filter" onSubmit={() => void save.run()} error={save.error}>
            <TextField label="Name" pointer="/name" value={draft.name} onChange={set("name")} placeholder="Active employees" />
            {FIRST.map(condition)}
            <Fold summary={`Conditions on ${MORE.map(kindText).join(", ")}`} shown={MORE.some((kind) => !isEmpty(draft.conditions[kind]))}>
              {MORE.map(condition)}
            </Fold>
            <Failure error={validation.error} title="The conditions could not be checked" />
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
      <Preview rules={settled} valid={!incomplete && validation.data?.valid === true} tenant={{ connectionId, setConnectionId }} />
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
      <Fold summary="Exclusions and limits" shown={draft.excludeUsers !== "" || draft.excludeGroups !== "" || draft.maxUsers !== "" || draft.maxGroups !== ""}>
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
      </Fold>
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
