import { useState } from "react";
import { all, answer, api, idempotencyKey, type Schema } from "../../api/client";
import { useAction, useQuery } from "../../api/use";
import { Checkbox, Form, TextField } from "../../ui/form";
import { Button, Card, Confirm, Copyable, Failure, Loading, Lozenge, Message, Table } from "../../ui/parts";
import { daysUntil, Moment } from "../../ui/time";
import { endOfDay } from "../source/form";

type Scope = Schema<"KeyScope">;
type Key = Schema<"ApiKeyResponse">;

const SCOPES: [Scope, string][] = [
  ["read", "See everything but keys and the audit log"],
  ["write", "Change sources, filters, destinations and imports"],
  ["run", "Check connections and destinations, preview filters, build object types, and start, approve and cancel runs"],
  ["admin", "Everything, also keys and the audit log"],
];

export function Keys() {
  const keys = useQuery("keys", (signal) => all((cursor) => answer(api.GET("/v1/api-keys", { params: { query: { limit: 200, cursor } }, signal }))));
  const [created, setCreated] = useState<Key>();
  return (
    <div className="columns">
      <Card title="API keys">
        <Failure error={keys.error} />
        {keys.loading && <Loading />}
        {keys.data?.length === 0 && <p className="subtle">No key was created here. The admin key of the service is not listed.</p>}
        {keys.data && keys.data.length > 0 && (
          <Table label="API keys" head={["Name", "May", "Last used", "Ends", "Action"]}>
            {keys.data.map((key) => (
              <tr key={key.id}>
                <td>{key.name}</td>
                <td className="row">
                  {key.scopes.map((scope) => (
                    <Lozenge key={scope}>{scope}</Lozenge>
                  ))}
                </td>
                <td>
                  <Moment at={key.lastUsedAt} />
                </td>
                <td>{key.expiresAt && daysUntil(key.expiresAt) <= 0 ? <Lozenge tone="danger">Expired</Lozenge> : <Moment at={key.expiresAt} />}</td>
                <td>
                  <Revoke item={key} onDone={keys.reload} />
                </td>
              </tr>
            ))}
          </Table>
        )}
      </Card>
      <div className="stack">
        {created?.key && (
          <Message tone="success" live title="The key is shown only now">
            <Copyable label={`Key «${created.name}»`} text={created.key} />
          </Message>
        )}
        <Card title="Create a key">
          <CreateKey
            onCreated={(key) => {
              setCreated(key);
              keys.reload();
            }}
          />
        </Card>
      </div>
    </div>
  );
}

function CreateKey({ onCreated }: { onCreated: (key: Key) => void }) {
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<Scope[]>(["read"]);
  const [end, setEnd] = useState("");
  const create = useAction(async () => {
    const params = { header: { "Idempotency-Key": idempotencyKey() } };
    onCreated(await answer(api.POST("/v1/api-keys", { params, body: { name: name.trim(), scopes, expiresAt: endOfDay(end) } })));
    setName("");
  });
  return (
    <Form label="Create a key" onSubmit={() => void create.run()} error={create.error}>
      <TextField label="Name" pointer="/name" value={name} onChange={setName} placeholder="Monitoring" />
      <fieldset>
        <legend>It may</legend>
        {SCOPES.map(([scope, text]) => (
          <Checkbox key={scope} label={scope} help={text} checked={scopes.includes(scope)} onChange={(on) => setScopes(on ? [...scopes, scope] : scopes.filter((one) => one !== scope))} />
        ))}
      </fieldset>
      <TextField label="Ends on (optional)" type="date" pointer="/expiresAt" value={end} onChange={setEnd} />
      <div>
        <Button type="submit" kind="primary" pending={create.pending}>
          Create key
        </Button>
      </div>
    </Form>
  );
}

function Revoke({ item, onDone }: { item: Key; onDone: () => void }) {
  const revoke = useAction(async () => {
    await answer(api.DELETE("/v1/api-keys/{id}", { params: { path: { id: item.id } } }));
    onDone();
  });
  return (
    <Confirm kind="danger" button="Revoke" title={`Revoke «${item.name}»?`} confirm="Revoke" onConfirm={revoke.run} pending={revoke.pending} error={revoke.error}>
      <p>The key stops working at once.</p>
    </Confirm>
  );
}
