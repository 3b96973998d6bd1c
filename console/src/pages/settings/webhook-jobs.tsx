/** Of which imports a webhook is told. */
import { useState } from "react";
import { answer, api, type Schema } from "../../api/client";
import type { Query } from "../../api/use";
import { Checkbox, Radios } from "../../ui/form";
import { FormDialog } from "../../ui/form-dialog";
import { Failure, Loading } from "../../ui/parts";
import type { Job } from "../import";

type Webhook = Schema<"WebhookResponse">;
/** Ids of imports; null: all imports. */
export type Chosen = string[] | null;
type Props = { value: Chosen; onChange: (chosen: Chosen) => void; jobs: Query<Job[]> };

export function JobChoice({ value, onChange, jobs }: Props) {
  return (
    <div className="stack tight">
      <Radios
        label="It is told of"
        pointer="/jobIds"
        value={value === null ? "all" : "chosen"}
        onChange={(which) => onChange(which === "all" ? null : [])}
        options={[
          { value: "all", label: "All imports" },
          { value: "chosen", label: "Chosen imports", help: "What is about no import, such as the check of a connection, is told as well." },
        ]}
      />
      {value !== null && (
        <fieldset className="indent">
          <legend className="small">Imports</legend>
          <Failure error={jobs.error} />
          {jobs.loading && <Loading />}
          {jobs.data?.length === 0 && <p className="subtle">There is no import yet.</p>}
          {jobs.data?.map(({ id, name }) => (
            <Checkbox key={id} label={name} checked={value.includes(id)} onChange={(on) => onChange(on ? [...value, id] : value.filter((one) => one !== id))} />
          ))}
        </fieldset>
      )}
    </div>
  );
}

/** Of which imports it is told, in words. */
export function ToldOf({ webhook, jobs }: { webhook: Webhook; jobs: Query<Job[]> }) {
  if (webhook.jobIds === null) return <p className="subtle">Told of all imports.</p>;
  if (!jobs.data) return <p className="subtle">Told of chosen imports.</p>;
  const names = webhook.jobIds.map((id) => jobs.data?.find((job) => job.id === id)?.name ?? "one that was deleted");
  return <p className="subtle">Told of chosen imports: {names.join(", ")}.</p>;
}

export function ChangeJobs({ webhook, jobs, onChanged }: { webhook: Webhook; jobs: Query<Job[]>; onChanged: () => void }) {
  const [chosen, setChosen] = useState<Chosen>(null);
  const save = async () => {
    await answer(api.PATCH("/v1/webhooks/{id}", { params: { path: { id: webhook.id } }, body: { jobIds: chosen } }));
    onChanged();
  };
  // An import that was deleted cannot be chosen again.
  const open = () => setChosen(webhook.jobIds?.filter((id) => jobs.data?.some((job) => job.id === id)) ?? null);
  return (
    <FormDialog button="Choose imports" disabled={!jobs.data} title={`Imports of «${webhook.name}»`} onOpen={open} onSubmit={save} submit="Save the choice">
      <JobChoice value={chosen} onChange={setChosen} jobs={jobs} />
    </FormDialog>
  );
}
