import { Head } from "../ui/parts"; export function HandoverPage(_: { secret: string }) { return <Head title="Handover" />; }
