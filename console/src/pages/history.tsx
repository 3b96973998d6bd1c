import { Head } from "../ui/parts"; export function HistoryPages() { return <Head title="History" />; }
