/** The objects that an import read last, found by name. */
import { useState } from "react";
import { answer, api, type Schema } from "../../api/client";
import { useSettled } from "../../api/use";
import { href } from "../../route";
import { Select, TextField } from "../../ui/form";
import { usePages } from "../../ui/pages";
import { Failure, Loading, More, Table } from "../../ui/parts";
import { typeName } from "../../ui/words";
import { isEnabled, draftOf, type ObjectType } from "../import/draft";
import type { Job } from "../import";
import { objectPath } from "./path";

type MirrorObject = Schema<"MirrorObject"> & Record<string, unknown>;

export function ObjectList({ job }: { job: Job }) {
  const draft = draftOf(job);
  const types = (Object.keys(job.objects) as ObjectType[]).filter((type) => isEnabled(type, draft, job));
  const [type, setType] = useState<ObjectType>(types.includes("users") ? "users" : (types[0] ?? "users"));
  const [search, setSearch] = useState("");
  const wanted = useSettled(search.trim(), 300);
  const objects = usePages(`objects ${job.id} ${type} ${wanted}`, (cursor, signal) =>
    answer(api.GET("/v1/jobs/{id}/objects", { params: { path: { id: job.id }, query: { type, search: wanted || undefined, limit: 50, cursor } }, signal })),
  );
  const items = objects.items as MirrorObject[] | undefined;
  return (
    <div className="stack">
      <p className="subtle">What the last complete run read from Entra, with what was delivered of it.</p>
      <div className="grid2">
        <Select label="Type" value={type} onChange={setType} options={types.map((one): [ObjectType, string] => [one, typeName(one)])} />
        <TextField label="Name" value={search} onChange={setSearch} placeholder="A part of the name, sign-in name or mail address" />
      </div>
      <Failure error={objects.error} />
      {!items && !objects.error && <Loading />}
      {items?.length === 0 && <p className="subtle">{wanted === "" ? "Nothing was read yet." : "Nothing has this name."}</p>}
      {items && items.length > 0 && (
        <Table label="Objects" head={["Name", "Known as"]}>
          {items.map((one) => (
            <tr key={one.id} className="linked">
              <td>
                <a href={href(objectPath(job.id, type, one.id))}>{labelOf(one)}</a>
              </td>
              <td className="small subtle break">{textOf(one.userPrincipalName) ?? textOf(one.mail) ?? one.id}</td>
            </tr>
          ))}
        </Table>
      )}
      <More pages={objects} />
    </div>
  );
}

const textOf = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
const labelOf = (one: MirrorObject) => textOf(one.displayName) ?? textOf(one.skuPartNumber) ?? textOf(one.name) ?? one.id;
