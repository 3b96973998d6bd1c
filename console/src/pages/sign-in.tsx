import { useEffect, useId, useRef, useState } from "react";
import { api, answer, Refused } from "../api/client";
import { signIn } from "../api/session";
import { useAction } from "../api/use";
import { Mark } from "../app";
import { Form, TextField } from "../ui/form";
import { Button } from "../ui/parts";

export function SignIn() {
  return (
    <main className="sign-in">
      <div className="card stack loose">
        <div className="brand">
          <Mark /> Entra ID → Assets
        </div>
        <div className="stack tight">
          <h1>Sign in</h1>
          <p className="subtle">Enter an API key of this service. The first start of the service printed an admin key, or its operator set one (<code>ENTRA_ASSETS_ADMIN_KEY</code>). «Settings → API keys» creates others.</p>
        </div>
        <KeyForm />
      </div>
    </main>
  );
}

/** Over the page, which stays as it is. */
export function SignInAgain() {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    if (!dialog.current?.open) dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={id} onCancel={(event) => event.preventDefault()}>
      <div className="stack">
        <h2 id={id}>Sign in again</h2>
        <p>The service does not accept the key of this tab any more: it has expired or was revoked. What you entered on this page is still there.</p>
        <KeyForm />
      </div>
    </dialog>
  );
}

function KeyForm() {
  const [key, setKey] = useState("");
  const enter = useAction(async () => {
    const headers = { Authorization: `Bearer ${key.trim()}` };
    await answer(api.GET("/v1/connections", { params: { query: { limit: 1 } }, headers }));
    signIn(key.trim());
  });
  const refused = enter.error instanceof Refused && enter.error.status === 401;
  return (
    <Form label="Sign in" onSubmit={() => void enter.run()} error={refused ? undefined : enter.error}>
      <TextField
        label="API key"
        type="password"
        autoComplete="current-password"
        value={key}
        onChange={setKey}
        fault={refused ? "The service does not know this key, or it has expired." : undefined}
        help="The key stays in this browser tab. Closing the tab forgets it."
      />
      <div>
        <Button type="submit" kind="primary" pending={enter.pending} disabled={key.trim() === ""}>
          Sign in
        </Button>
      </div>
    </Form>
  );
}
