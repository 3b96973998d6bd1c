/** The object types in Assets that an import source can fill, and which look like objects of Entra. */
import { answer, api, type Schema } from "../../api/client";
import { useQuery } from "../../api/use";
import { Card, Failure, Loading, Lozenge, Message, Table } from "../../ui/parts";
import { Prose } from "../../ui/prose";
import { plural } from "../../ui/time";
import { typeName } from "../../ui/words";

type Found = Schema<"SchemaTypes">;

export const loadSchemaTypes = (id: string, signal: AbortSignal) => answer(api.GET("/v1/destinations/{id}/types", { params: { path: { id } }, signal }));

export function TypesInAssets({ id }: { id: string }) {
  const found = useQuery(`types ${id}`, (signal) => loadSchemaTypes(id, signal));
  return (
    <Card title={found.data?.objectSchema ? `Object types in «${found.data.objectSchema}»` : "Object types in Assets"}>
      <div className="stack">
        {found.loading && <Loading what="Asking Assets" />}
        <Failure error={found.error} />
        {found.data && (found.data.types.length === 0 ? <p className="subtle">There are none yet. «Build» on the page of an import creates them.</p> : <TypeTable found={found.data} />)}
        {found.data?.truncated && <p className="subtle">Assets has more than are listed here.</p>}
        {found.data?.proposals.map((one) => <Proposal key={one.objectType} proposal={one} />)}
      </div>
    </Card>
  );
}

function TypeTable({ found }: { found: Found }) {
  return (
    <Table label="Object types" head={["Name", "Filled with", { text: "Attributes", number: true }]}>
      {found.types.map((one) => (
        <tr key={one.externalId ?? one.name}>
          <td>
            {one.name} {one.builtHere && <Lozenge>Built by an import</Lozenge>}
          </td>
          <td>{one.filledWith ? typeName(one.filledWith) : one.externalId === null ? <span className="subtle">An import cannot fill it</span> : <span className="subtle">Nothing yet</span>}</td>
          <td className="number" title={one.attributes.map((attribute) => attribute.name).join(", ")}>
            {one.attributes.length}
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Proposal({ proposal: { objectType, existing, problems } }: { proposal: Schema<"TypeProposal"> }) {
  return (
    <Message tone="information" title={`«${existing.objectType}» looks like ${typeName(objectType).toLowerCase()}`}>
      <p>
        An import can fill it instead of building its own: {plural(Object.keys(existing.attributes).length, "attribute")} were found by name and type. Choose it in the settings of the import.
      </p>
      <Problems problems={problems} />
    </Message>
  );
}

/** What does not fit, what blocks a run first. */
export function Problems({ problems }: { problems: Schema<"FitProblem">[] }) {
  if (problems.length === 0) return null;
  const sorted = [...problems].sort((a, b) => Number(b.blocks) - Number(a.blocks));
  return (
    <ul className="stack tight" aria-label="What does not fit">
      {sorted.map((one) => (
        <li key={one.pointer + one.code}>
          <Lozenge tone={one.blocks ? "danger" : "warning"}>{one.blocks ? "Does not work" : "Worth knowing"}</Lozenge> <Prose text={one.detail} />
        </li>
      ))}
    </ul>
  );
}
