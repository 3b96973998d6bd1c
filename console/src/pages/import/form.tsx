/** The form of an import, new or existing. */
import { useEffect, useState } from "react";
import { answer, api, idempotencyKey, type Schema } from "../../api/client";
import { useAction, useQuery } from "../../api/use";
import { go, href } from "../../route";
import { Form, Radios, Select, TextField } from "../../ui/form";
import { Button, Card, Failure, Fold, Loading, Message } from "../../ui/parts";
import { loadDestinations } from "../destination";
import { loadSchemaTypes } from "../destination/types";
import { loadFilters } from "../filter";
import type { Job } from "../import";
import { loadConnections } from "../source";
import { loadAttributes } from "./attributes";
import { bodyOf, type Draft, draftOf, isEnabled, type ObjectType, type Set } from "./draft";
import { ScheduleFields } from "./schedule-fields";
import { ObjectTypeFields, VALUES, ValueTypes } from "./types";

export function JobForm({ job, onSaved }: { job?: Job; onSaved?: () => void }) {
  const choices = useQuery("choices", async (signal) => {
    const [connections, filters, destinations, attributes] = await Promise.all([loadConnections(signal), loadFilters(signal), loadDestinations(signal), loadAttributes(signal)]);
    return { connections, filters, destinations, attributes };
  });
  const [draft, setDraft] = useState(() => draftOf(job));
  const set: Set = (name) => (value) => setDraft((draft) => ({ ...draft, [name]: value }));
  useEffect(() => {
    // With one source or destination there is nothing to choose.
    const { connections = [], destinations = [] } = choices.data ?? {};
    const only = <T extends { id: string }>(list: T[]) => (list.length === 1 ? (list[0]?.id ?? "") : "");
    setDraft((draft) => ({ ...draft, connectionId: draft.connectionId || only(connections), destinationId: draft.destinationId || (job ? "" : only(destinations)) }));
  }, [choices.data, job]);
  const save = useAction(async () => {
    if (job) {
      const params = { path: { id: job.id }, header: { "If-Match": `"${job.version}"` } };
      await answer(api.PATCH("/v1/jobs/{id}", { params, body: bodyOf(draft, job) }));
      return onSaved?.();
    }
    const params = { header: { "Idempotency-Key": idempotencyKey() } };
    const created = await answer(api.POST("/v1/jobs", { params, body: bodyOf(draft) as Schema<"CreateJob"> }));
    go(`/import/${created.id}`);
  });
  const { destinationId } = draft;
  const found = useQuery(destinationId ? `types ${destinationId}` : null, (signal) => loadSchemaTypes(destinationId, signal));
  if (!choices.data) return choices.error ? <Failure error={choices.error} /> : <Loading />;
  const { connections, filters, destinations, attributes } = choices.data;
  const types = [...new Set(attributes.map((one) => one.objectType))];
  const own = types.filter((type) => !VALUES.includes(type));
  const fields = (type: ObjectType) => ({ type, job, draft, set, found, attributes: attributes.filter((one) => one.objectType === type) });
  const typeFields = (type: ObjectType) => <ObjectTypeFields key={type} {...fields(type)} />;
  const options = (list: { id: string; name: string }[], none: string): [string, string][] => [["", none], ...list.map((one): [string, string] => [one.id, one.name])];
  return (
    <Form
      label="Import"
      onSubmit={() => void save.run()}
      error={save.error}
      fixOf={(fault) => fault.code === "api_required" && <a href={href(`/destination/${destinationId}`)}>Open the destination to add the object API</a>}
    >
      <div className="columns">
        <div className="stack">
          <Card title="From where to where">
            <div className="stack">
              <TextField label="Name" pointer="/name" value={draft.name} onChange={set("name")} placeholder="Nightly import" />
              <Select label="Source" pointer="/connectionId" value={draft.connectionId} onChange={set("connectionId")} options={options(connections, "Choose a tenant")} help={connections.length === 0 && <a href={href("/source/new")}>Connect a tenant first</a>} />
              <Select label="Filter" pointer="/filterId" value={draft.filterId} onChange={set("filterId")} options={options(filters, "None: import everything")} />
              <Select label="Destination" pointer="/destinationId" value={draft.destinationId} onChange={set("destinationId")} options={options(destinations, "None: dry runs only")} help={destinations.length === 0 && <a href={href("/destination/new")}>Add a destination first</a>} />
            </div>
          </Card>
          <Card title="What is imported">
            <div className="stack">
              {own.slice(0, FIRST).map(typeFields)}
              <Fold summary="More types" shown={own.slice(FIRST).some((type) => isEnabled(type, draft, job))}>
                {own.slice(FIRST).map(typeFields)}
              </Fold>
              <Fold summary="Departments and other values as objects" shown={types.some((type) => VALUES.includes(type) && isEnabled(type, draft, job))}>
                <ValueTypes types={types.filter((type) => VALUES.includes(type))} fields={typeFields} />
              </Fold>
              <Select
                label="Membership of users in groups"
                pointer="/memberships"
                value={draft.memberships}
                onChange={set("memberships")}
                options={[
                  ["onUser", "On the user: attribute Groups"],
                  ["onGroup", "On the group: attribute Members"],
                  ["both", "On both"],
                ]}
                help="Assets gets slow with very long lists. Choose the side with the shorter ones."
              />
            </div>
          </Card>
        </div>
        <div className="stack">
          <DeliverFields draft={draft} set={set} destination={destinations.find((one) => one.id === destinationId)} />
          <RemovalFields draft={draft} set={set} destination={destinations.find((one) => one.id === destinationId)} />
          <ScheduleFields rhythm={draft.rhythm} paused={Boolean(job?.schedule?.pausedReason)} set={set("rhythm")} />
        </div>
      </div>
      <div>
        <Button type="submit" kind="primary" pending={save.pending}>
          Save import
        </Button>
      </div>
    </Form>
  );
}

/** Users, groups, licences and devices are shown at once. */
const FIRST = 4;

function DeliverFields({ draft, set, destination }: { draft: Draft; set: Set; destination?: Schema<"DestinationResponse"> }) {
  return (
    <Card title="What is sent">
      <div className="stack">
        <Radios
          label="Each run sends"
          pointer="/deliver"
          value={draft.deliver}
          onChange={set("deliver")}
          options={[
            { value: "full", label: "Everything that is imported" },
            { value: "changes", label: "Only what changed", help: "Quick. Recommended where Assets leaves missing objects alone (Ignore)." },
          ]}
        />
        {draft.deliver === "changes" && destination && destination.missingObjects !== "ignore" && (
          <Message tone="information">
            <p>
              Everything is sent all the same: <a href={href(`/destination/${destination.id}`)}>«{destination.name}»</a> does not say that Assets leaves missing objects alone.
            </p>
          </Message>
        )}
      </div>
    </Card>
  );
}

/** What Assets does with objects that an import leaves out, where the import itself keeps them. */
const LEFT_OUT: Record<Schema<"MissingObjects">, string> = {
  ignore: "This import removes nothing. Objects that are gone stay in Assets with their last values.",
  unknown: "This import removes nothing. Objects that are gone are sent with their last values, so that they stay in Assets.",
  update: "This import leaves out what is gone, and Assets marks it: the destination says so.",
  remove: "This import leaves out what is gone, and Assets deletes it: the destination says so.",
};

function RemovalFields({ draft, set, destination }: { draft: Draft; set: Set; destination?: Schema<"DestinationResponse"> }) {
  const percent = Number(draft.brakePercent);
  const runs = Number(draft.afterMissingRuns);
  return (
    <Card title="When somebody leaves">
      <div className="stack">
        <Radios
          label="Objects that left the directory or the filter"
          pointer="/removal/policy"
          value={draft.policy}
          onChange={set("policy")}
          options={[
            { value: "keep", label: "Are left to Assets" },
            { value: "mark", label: "Stay, marked as removed", help: "The attributes Lifecycle and Removed On say so. Tickets keep their links." },
            { value: "remove", label: "Are removed from Assets", help: "Needs the object API of the destination." },
          ]}
        />
        <div className="grid2">
          <TextField label="After how many runs without the object" type="number" min={1} max={1000} pointer="/removal/afterMissingRuns" value={draft.afterMissingRuns} onChange={set("afterMissingRuns")} />
          <TextField label="Brake, in percent" type="number" min={0} max={100} pointer="/removal/brakePercent" value={draft.brakePercent} onChange={set("brakePercent")} />
        </div>
        <Message tone="information">
          <p>
            {draft.policy === "keep"
              ? LEFT_OUT[destination?.missingObjects ?? "unknown"]
              : `Somebody who leaves is ${draft.policy === "mark" ? "marked" : "removed"} by the ${ordinal(runs)} complete run that does not find them.`}
          </p>
          <p>
            If more than {percent} % of the users (of 1,000 users, more than {Math.round(percent * 10)}) are newly missing or out of scope in one run, the run stops and waits for your approval. The same holds for every other type.
          </p>
          <p>A run that could not read everything removes nothing.</p>
        </Message>
      </div>
    </Card>
  );
}

function ordinal(n: number): string {
  const suffix = n % 100 >= 11 && n % 100 <= 13 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${n}${suffix}`;
}
