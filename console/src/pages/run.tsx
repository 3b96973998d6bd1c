import { Head } from "../ui/parts"; export function RunPage(_: { id: string }) { return <Head title="Run" />; }
