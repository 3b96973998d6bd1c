/** A form in a dialog. */
import { type ReactNode, useRef } from "react";
import { useAction } from "../api/use";
import { Form } from "./form";
import { Button } from "./parts";

type Props = {
  /** What opens it. */
  button: ReactNode;
  disabled?: boolean;
  title: string;
  /** Before it opens. */
  onOpen: () => void;
  /** It closes when this is done, and says in the form why it is not. */
  onSubmit: () => Promise<void>;
  submit: ReactNode;
  /** Above the form. */
  intro?: ReactNode;
  children: ReactNode;
};

export function FormDialog({ button, disabled, title, onOpen, onSubmit, submit, intro, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const action = useAction(async () => {
    await onSubmit();
    dialog.current?.close();
  });
  const open = () => {
    onOpen();
    action.clear();
    dialog.current?.showModal();
  };
  return (
    <>
      <Button disabled={disabled} onClick={open}>
        {button}
      </Button>
      <dialog ref={dialog} aria-label={title}>
        <div className="stack">
          <h2>{title}</h2>
          {intro}
          <Form label={title} onSubmit={() => void action.run()} error={action.error}>
            {children}
            <div className="row">
              <Button type="submit" kind="primary" pending={action.pending}>
                {submit}
              </Button>
              <Button onClick={() => dialog.current?.close()}>Keep as it is</Button>
            </div>
          </Form>
        </div>
      </dialog>
    </>
  );
}
