import { answer, api } from "../../api/client";
import { useQuery } from "../../api/use";
import { Button, Card, Failure, Loading, Lozenge, Message, Table } from "../../ui/parts";
import { Moment } from "../../ui/time";

export function Workers() {
  const workers = useQuery("workers", (signal) => answer(api.GET("/v1/workers", { params: { query: { limit: 200 } }, signal })));
  if (!workers.data) return workers.error ? <Failure error={workers.error} /> : <Loading />;
  const alive = workers.data.items.filter((one) => one.state === "alive");
  return (
    <div className="stack">
      {alive.length === 0 && (
        <Message tone="danger" title="No worker runs">
          <p>
            Runs wait until a process with the role <code>worker</code> or <code>all</code> is started.
          </p>
        </Message>
      )}
      <Card title="Workers" aside={<Button onClick={workers.reload}>Refresh</Button>}>
        <Table label="Workers" head={["Host", "State", { text: "Runs", number: true }, "Version", "Started", "Seen"]}>
          {workers.data.items.map((one) => (
            <tr key={one.id}>
              <td>
                {one.host} <span className="small subtle">process {one.processId}</span>
              </td>
              <td>
                <Lozenge tone={one.state === "alive" ? "success" : "warning"}>{one.state === "alive" ? "Alive" : "Not seen lately"}</Lozenge>
              </td>
              <td className="number">
                {one.running} of {one.capacity}
              </td>
              <td>{one.version}</td>
              <td>
                <Moment at={one.startedAt} />
              </td>
              <td>
                <Moment at={one.seenAt} />
              </td>
            </tr>
          ))}
        </Table>
      </Card>
    </div>
  );
}
